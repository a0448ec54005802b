"""Work of the supernet, summed over its cells, stems, decoders and heads."""

import dataclasses
from collections.abc import Iterable

from keras_fasterseg.filters import node_filters
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Work, total_work
from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.genotype import SCALES
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.stages import stem_keys
from keras_fasterseg.spaces.roles import STUDENT, TEACHER


def supernet_work(settings: FasterSegSettings, size: tuple[int, int], num_classes: int) -> Work:
    """Work of one pass (one image, one setting) with the teacher's stem and heads, the larger ones.

    Every cell runs once at full width, as in a supernet that blends inputs. The weights are those
    of the complete supernet, including the student's stem and heads.
    """
    ends = {
        role: total_work(stem_and_head_keys(settings.base_filters, width, size, num_classes))
        for role, width in settings.stem_head_widths.items()
    }
    work, student = cells_work(settings, size) + ends[TEACHER], ends[STUDENT]
    return dataclasses.replace(
        work,
        trainable=work.trainable + student.trainable,
        statistics=work.statistics + student.statistics,
    )


def supernet_keys(
    settings: FasterSegSettings, size: tuple[int, int], num_classes: int
) -> list[OpKey]:
    """Operations of one pass with the teacher's stem and heads, and cells at full width."""
    width = settings.stem_head_widths[TEACHER]
    ends = stem_and_head_keys(settings.base_filters, width, size, num_classes)
    return [*cell_keys(settings, size), *ends]


def cells_work(settings: FasterSegSettings, size: tuple[int, int]) -> Work:
    """Work of all cells, with parameters and statistics of batch normalisation for each width."""
    work = total_work(cell_keys(settings, size))
    widths = len(settings.width_multipliers)
    # Each width has a scale, an offset, a mean and a variance per channel.
    return dataclasses.replace(
        work,
        trainable=work.trainable + (widths - 1) * work.statistics,
        statistics=widths * work.statistics,
    )


def cell_keys(settings: FasterSegSettings, size: tuple[int, int]) -> list[OpKey]:
    """Operations of all cells at full width."""
    keys = []
    for index, scale in enumerate(SCALES):
        height, columns = (side // scale for side in size)
        for stride, count in (
            (1, settings.num_layers - index),
            (2, settings.num_layers - 1 - index),
        ):
            if scale * stride > SCALES[-1]:
                continue
            inside, outside = (
                node_filters(each, settings.base_filters, 1.0) for each in (scale, scale * stride)
            )
            cell = [OpKey(name, height, columns, inside, outside, stride) for name in PRIMITIVES]
            keys += cell * count
    return keys


def stem_and_head_keys(
    base_filters: int, width: float, size: tuple[int, int], num_classes: int
) -> Iterable[OpKey]:
    """Operations of a role's stem, decoder and five heads in the supernet."""
    filters = {scale: node_filters(scale, base_filters, width) for scale in SCALES}

    def key(operation: str, scale: int, inputs: int, outputs: int) -> OpKey:
        return OpKey(operation, size[0] // scale, size[1] // scale, inputs, outputs, 1)

    keys = list(stem_keys(base_filters, width, size))
    for coarse, fine in ((16, 8), (32, 16), (16, 8)):
        keys.append(key("conv_bn_relu_1x1", coarse, filters[coarse], filters[fine]))
        keys.append(key("conv_bn_relu_3x3", fine, 2 * filters[fine], filters[fine]))
    keys += [key("head", 8, heads * filters[8], num_classes) for heads in (1, 1, 1, 2, 2)]
    return keys
