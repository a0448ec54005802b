"""Rows of a latency table: the keys required by FasterSeg, and their arrays for a supernet."""

import itertools
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.filters import node_filters
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.cost import check_input_size
from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts
from keras_fasterseg.spaces.fasterseg.genotype import SCALES
from keras_fasterseg.spaces.fasterseg.stages import stem_keys


def required_keys(
    input_size: tuple[int, int],
    *,
    base_filters: int,
    width_multipliers: Sequence[float],
    stem_head_width: float,
    num_classes: int,
) -> tuple[OpKey, ...]:
    """All operations that a network with stem and heads of one width can run.

    These are the stem, cells at all scales and widths, decoder steps of branches that end at 1/16
    and 1/32, and fusion and head of the two branches of every derived network. With default
    settings, student and teacher together have 659 operations.
    """
    check_input_size(input_size)
    filters = {
        scale: [node_filters(scale, base_filters, width) for width in width_multipliers]
        for scale in (*SCALES, 64)
    }
    fixed = {scale: node_filters(scale, base_filters, stem_head_width) for scale in SCALES}

    def key(operation, scale, inputs, outputs, stride=1):
        return OpKey(
            operation, input_size[0] // scale, input_size[1] // scale, inputs, outputs, stride
        )

    keys = list(stem_keys(base_filters, stem_head_width, input_size))
    for scale, stride in itertools.product(SCALES, (1, 2)):
        if scale * stride <= SCALES[-1]:
            pairs = itertools.product(filters[scale], filters[scale * stride])
            keys += [
                key(primitive, scale, *pair, stride) for pair in pairs for primitive in PRIMITIVES
            ]
    for coarse, fine in ((32, 16), (16, 8)):
        keys.append(key("conv_bn_relu_1x1", coarse, fixed[coarse], fixed[fine]))
        for width in {*filters[fine], fixed[fine]}:
            keys.append(key("conv_bn_relu_3x3", fine, fixed[fine] + width, fixed[fine]))
    joined = 2 * fixed[8]
    keys.append(key("fusion", 8, joined, joined))
    keys.append(key("head", 8, joined, num_classes))
    return tuple(dict.fromkeys(keys))


def latency_costs(
    table: LatencyTable,
    *,
    base_filters: int,
    width_multipliers: Sequence[float],
    stem_head_width: float,
) -> LatencyCosts:
    """Arranges the rows of `table` as the arrays for `expected_latency`.

    Rows of a calibrated table are multiplied by the factor of the calibration, so that latency
    differences between networks are calibrated. The offset is omitted: it depends on no choice.

    Raises:
        KeyError: A row is missing in the table.
    """
    height, columns = table.metadata.input_size
    factor = 1.0 if table.calibration is None else table.calibration.factor
    stem_ms = factor * sum(
        table[key].latency_ms for key in stem_keys(base_filters, stem_head_width, (height, columns))
    )

    def rows(scale, input_widths, output_widths, stride):
        costs = np.empty((len(PRIMITIVES), len(input_widths), len(output_widths)), "float32")
        for index in np.ndindex(costs.shape):
            inputs = node_filters(scale, base_filters, input_widths[index[1]])
            outputs = node_filters(scale * stride, base_filters, output_widths[index[2]])
            primitive = PRIMITIVES[index[0]]
            key = OpKey(primitive, height // scale, columns // scale, inputs, outputs, stride)
            costs[index] = factor * table[key].latency_ms
        return costs

    widths, fixed = tuple(width_multipliers), (stem_head_width,)
    return LatencyCosts(
        stem_ms=stem_ms,
        keep=[rows(scale, widths, widths, 1) for scale in SCALES],
        down=[rows(scale, widths, widths, 2) for scale in SCALES[:-1]],
        first_keep=rows(8, fixed, widths, 1)[:, 0],
        first_down=rows(8, fixed, widths, 2)[:, 0],
        last_keep=[rows(scale, widths, fixed, 1)[:, :, 0] for scale in SCALES],
    )
