"""Networks and supernet of the AutoRTNet-style space as lists of operations."""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.autortnet.cell_shape import HYPER, CellShape, shapes_at
from keras_fasterseg.spaces.autortnet.genotype import AutoRTNetGenotype
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.trellis import SCALES, filters_at, levels
from keras_fasterseg.spaces.cells.cell_graph import FUSION, FUSION_OPERATIONS
from keras_fasterseg.spaces.cells.keys import (
    AUXILIARY,
    Size,
    operation_key,
    scaled_key,
    stem_keys,
    stem_stages,
)
from keras_fasterseg.spaces.cells.operations import ALIGNMENTS
from keras_fasterseg.spaces.cost import check_input_size
from keras_fasterseg.spaces.stage import Stage

AGGREGATION_SCALE = 8


def network_stages(genotype: AutoRTNetGenotype, size: Size, num_classes: int) -> tuple[Stage, ...]:
    """Stages of the network of `genotype`, in an executable order.

    Args:
        genotype: The network.
        size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.

    Raises:
        ValueError: A side of `size` is not a multiple of 32.
    """
    check_input_size(size)
    initial, filters = genotype.initial_filters, genotype.decoder_filters
    stages = stem_stages(HYPER.nodes * initial, size)
    for cell, shape in genotype.live_cells:
        edges = (shape.edge_key(edge, name, size) for edge, name in enumerate(cell.operations))
        keys = (shape.input_key(size), *(key for key in edges if key is not None))
        stages.append(Stage(cell.name, keys))
    keys = [alignment_key(level, initial, filters, size) for level in genotype.aggregated.values()]
    edges = (operation_key(name, AGGREGATION_SCALE, filters, size) for name in genotype.aggregation)
    keys += [key for key in edges if key is not None]
    stages.append(Stage("aggregation", tuple(keys)))
    stages.append(Stage("classifier", (classifier_key(filters, num_classes, size),)))
    level = max(genotype.aggregated.values())
    key = scaled_key(
        "gas_classifier", SCALES[level], level_channels(level, initial), num_classes, size
    )
    return (*stages, Stage(AUXILIARY, (key,), training_only=True))


def supernet_keys(settings: AutoRTNetSettings, size: Size, num_classes: int) -> list[OpKey]:
    """Operations of one pass of the supernet: all operations of every edge, at every level."""
    initial, filters = settings.initial_filters, settings.decoder_filters
    keys = stem_keys(HYPER.nodes * initial, size)
    keys += edge_operations(settings, size)
    keys += [alignment_key(level, initial, filters, size) for level in range(len(SCALES))]
    return [*keys, classifier_key(filters, num_classes, size)]


def edge_operations(settings: AutoRTNetSettings, size: Size) -> list[OpKey]:
    """All operations of every edge of the supernet, and the preprocessing of cells."""
    keys = []
    for index in range(settings.cells):
        for level in levels(index):
            for shape in shapes_at(level, settings.initial_filters).values():
                keys += cell_operations(shape, size)
    edges = [
        operation_key(name, AGGREGATION_SCALE, settings.decoder_filters, size)
        for name in FUSION_OPERATIONS
    ]
    return keys + [key for key in edges if key is not None] * len(FUSION.edges)


def cell_operations(shape: CellShape, size: Size) -> list[OpKey]:
    """Preprocessing and all operations of every edge of a cell."""
    edges = [
        shape.edge_key(edge, name, size)
        for edge in range(len(HYPER.edges))
        for name in CELL_OPERATIONS
    ]
    return [shape.input_key(size), *(key for key in edges if key is not None)]


def alignment_key(level: int, initial_filters: int, filters: int, size: Size) -> OpKey:
    """Alignment of the last feature of a level for the aggregation cell.

    That of the first level replaces the aggregation cell of a network without reductions.
    """
    outputs = filters if level else FUSION.nodes * filters
    operation = ALIGNMENTS[SCALES[level] / AGGREGATION_SCALE]
    channels = level_channels(level, initial_filters)
    return scaled_key(operation, SCALES[level], channels, outputs, size)


def classifier_key(filters: int, num_classes: int, size: Size) -> OpKey:
    """The classifier after the aggregation cell."""
    return scaled_key(
        "gas_classifier", AGGREGATION_SCALE, FUSION.nodes * filters, num_classes, size
    )


def level_channels(level: int, initial_filters: int) -> int:
    """Channels of a feature at a level."""
    return HYPER.nodes * filters_at(level, initial_filters)
