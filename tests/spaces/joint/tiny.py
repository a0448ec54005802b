"""Settings of the smallest joint supernet, for the tests of every space."""

from keras_fasterseg.spaces.joint.settings import JointSettings

SETTINGS = JointSettings(
    early_blocks=2,
    late_blocks=2,
    stem_filters=4,
    early_filters=8,
    late_filters=16,
    filter_choices=2,
    dilations=(1, 2),
)
