"""A FasterSeg genotype of three cells, for tests of the code around networks."""

from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)

CELLS = (
    CellGenotype(0, 8, "conv", 1, 0.5),
    CellGenotype(1, 8, "conv", 2, 0.5),
    CellGenotype(2, 16, "conv", 1, 0.5),
)
GENOTYPE = FasterSegGenotype("fasterseg", 2, 4, 0.5, 0.5, (BranchGenotype(16, CELLS),))
