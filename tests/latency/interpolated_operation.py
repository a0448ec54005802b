"""An operation whose rows are interpolated between multiples of 16 filters, and a space of it."""

import keras

from keras_fasterseg.latency.interpolation import grid_neighbours
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Operation, register_operations
from keras_fasterseg.spaces.base import Stage
from tests.conformance.toy_space import NAMES, ToySpace

OPERATION = Operation(
    lambda key: keras.layers.Conv2D(key.out_filters, 3, padding="same"),
    (1,),
    neighbours=grid_neighbours,
)
register_operations({"interpolated_conv": OPERATION})


def conv(in_filters, out_filters):
    return OpKey("interpolated_conv", 32, 64, in_filters, out_filters, 1)


class InterpolatedSpace(ToySpace):
    """The toy space with cells of 20, 24 or 28 filters."""

    def stages(self, genotype, size, num_classes):
        stem, *_, prediction, auxiliary = super().stages(genotype, size, num_classes)
        cells = [
            Stage(f"cell_{index}", (conv(16, 20 + 4 * NAMES.index(name)),))
            for index, name in enumerate(genotype.cells)
        ]
        return (stem, *cells, prediction, auxiliary)
