"""Networks and supernet of the joint space as lists of operations."""

import itertools
from collections.abc import Sequence

import keras_fasterseg.spaces.joint.operations  # noqa: F401 - registers the operations
from keras_fasterseg.latency.interpolation import number_grid
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import rows_of
from keras_fasterseg.spaces.cost import check_input_size
from keras_fasterseg.spaces.joint.choices import operations
from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype
from keras_fasterseg.spaces.joint.settings import JointSettings
from keras_fasterseg.spaces.stage import Stage

Size = tuple[int, int]

AUXILIARY = "auxiliary"
"""Name of the stage that only runs in training."""

_BLOCK_SCALES = {"early": 4, "late": 8}


def network_stages(genotype: JointGenotype, size: Size, num_classes: int) -> tuple[Stage, ...]:
    """Stages of the network of `genotype`, in an executable order.

    Args:
        genotype: The network.
        size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.

    Raises:
        ValueError: A side of `size` is not a multiple of 32.
    """
    check_input_size(size)
    last = genotype.early[-1].filters, genotype.late[-1].filters
    keys = {}
    for name, key in surrounding_keys(genotype, last, size, num_classes).items():
        keys[name] = key
        stage = name.removesuffix("_downsampler")
        if stage in _BLOCK_SCALES:
            filters = key.out_filters
            for index, block in enumerate(getattr(genotype, stage)):
                keys[f"{stage}_{index}"] = _block_key(stage, filters, block, size)
                filters = block.filters
    return tuple(Stage(name, (key,), name == AUXILIARY) for name, key in keys.items())


def supernet_keys(settings: JointSettings, size: Size, num_classes: int) -> list[OpKey]:
    """Operations of one pass of the supernet: all operations of every block, at full width."""
    full = settings.early_filters, settings.late_filters
    surrounding = surrounding_keys(settings, full, size, num_classes)
    keys = [key for name, key in surrounding.items() if name.endswith("downsampler")]
    keys += [surrounding["stem"], surrounding[AUXILIARY]]
    counts = settings.early_blocks, settings.late_blocks
    for stage, filters, count in zip(_BLOCK_SCALES, full, counts, strict=True):
        keys += count * block_keys(settings, stage, (filters,), size)
    return keys


def required_keys(settings: JointSettings, size: Size, num_classes: int) -> tuple[OpKey, ...]:
    """Rows that price every network, without duplicates: all operations on the grid of widths."""
    early, late = (
        settings.widths(filters) for filters in (settings.early_filters, settings.late_filters)
    )
    keys = []
    for last in zip(early, late, strict=True):
        surrounding = surrounding_keys(settings, last, size, num_classes)
        del surrounding[AUXILIARY]
        keys += [row for key in surrounding.values() for row in rows_of(key)]
    for stage, widths in zip(_BLOCK_SCALES, (early, late), strict=True):
        keys += block_keys(settings, stage, number_grid(widths)[0], size)
    return tuple(dict.fromkeys(keys))


def surrounding_keys(
    filters: JointGenotype | JointSettings, last: tuple[int, int], size: Size, num_classes: int
) -> dict[str, OpKey]:
    """Operations around the blocks, by stage and in an executable order.

    Args:
        filters: Genotype or settings with the largest numbers of filters.
        last: Filters of the last early and of the last late block.
        size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.
    """
    (last_early, last_late), stem = last, filters.stem_filters
    early, late = filters.early_filters, filters.late_filters
    return {
        "stem": _key("joint_downsampler", 1, 3, stem, size, 2),
        "early_downsampler": _key("joint_downsampler", 2, stem, early, size, 2),
        "late_downsampler": _key("joint_downsampler", 4, last_early, late, size, 2),
        "average_pool": _key("joint_average_pool", 2, stem, stem, size, 2),
        "low_level": _key("joint_low_level", 4, last_early + stem, early, size, 2),
        "pyramid": _key("joint_pyramid", 8, last_late, late, size),
        "fusion": _key("conv_bn_relu_1x1", 8, early + late, late, size),
        "classifier": _key("joint_classifier", 8, late, num_classes, size),
        AUXILIARY: _key("joint_classifier", 8, last_late, num_classes, size),
    }


def block_keys(
    settings: JointSettings, stage: str, widths: Sequence[int], size: Size
) -> list[OpKey]:
    """All operations of a block whose input, middle and output have one of `widths`.

    They are in the order of the operation, then of input, middle and output. `stage` is "early"
    or "late".
    """
    choices = itertools.product(operations(settings), widths, widths, widths)
    return [
        _block_key(stage, inputs, JointBlock(each.dilation, each.pooled, middle, filters), size)
        for each, inputs, middle, filters in choices
    ]


def _block_key(stage: str, inputs: int, block: JointBlock, size: Size) -> OpKey:
    attributes = {"dilation": block.dilation, "middle": block.middle, "pooled": int(block.pooled)}
    scale = _BLOCK_SCALES[stage]
    return _key("joint_block", scale, inputs, block.filters, size, **attributes)


def _key(
    operation: str, scale: int, inputs: int, filters: int, size: Size, stride: int = 1, **attributes
) -> OpKey:
    height, width = (side // scale for side in size)
    return OpKey(operation, height, width, inputs, filters, stride, tuple(attributes.items()))
