"""Small genotype of the joint space with every kind of block."""

from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype

SMALL = JointGenotype(
    "joint",
    stem_filters=4,
    early_filters=8,
    late_filters=16,
    early=(JointBlock(1, False, 8, 4), JointBlock(2, True, 4, 8), JointBlock(1, False, 6, 5)),
    late=(JointBlock(4, True, 12, 10), JointBlock(2, False, 16, 14)),
)
