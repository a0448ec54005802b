"""Networks and supernet of the GAS-style space as lists of operations."""

from collections.abc import Sequence

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS
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
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.plan import CellInput, CellPlan, cell_plans, fused_cells
from keras_fasterseg.spaces.gas.settings import DENSE, GasSettings
from keras_fasterseg.spaces.stage import Stage


def network_stages(genotype: GasGenotype, size: Size, num_classes: int) -> tuple[Stage, ...]:
    """Stages of the network of `genotype`, in an executable order.

    Args:
        genotype: The network.
        size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.

    Raises:
        ValueError: A side of `size` is not a multiple of 32.
    """
    check_input_size(size)
    stages = stem_stages(CELL.nodes * genotype.initial_filters, size)
    for plan in genotype.live_cells:
        operations = genotype.cells[plan.index]
        keys = [input_key(plan, plan.inputs[i], size) for i in CELL.used_inputs(operations)]
        edges = (edge_key(plan, edge, name, size) for edge, name in enumerate(operations))
        stages.append(Stage(plan.name, (*keys, *(key for key in edges if key is not None))))
    filters, fused = genotype.decoder_filters, genotype.fused
    if genotype.fusion:
        levels = fused_cells(genotype.plans)
        keys = [alignment_key(levels, number, filters, size) for number in fused]
        edges = (fusion_key(levels, name, filters, size) for name in genotype.fusion)
        keys += [key for key in edges if key is not None]
        stages.append(Stage("fusion", tuple(keys)))
    else:
        stages.append(Stage("pyramid", (pyramid_key(genotype.plans[-1], filters, size),)))
    dense = bool(genotype.fusion)
    key = classifier_key(genotype.plans, filters, dense, num_classes, size)
    stages.append(Stage("classifier", (key,)))
    auxiliary = genotype.live_cells[-1]
    key = scaled_key("gas_classifier", auxiliary.scale, _channels(auxiliary), num_classes, size)
    return (*stages, Stage(AUXILIARY, (key,), training_only=True))


def supernet_keys(settings: GasSettings, size: Size, num_classes: int) -> list[OpKey]:
    """Operations of one pass of the supernet: all operations of every edge."""
    plans = cell_plans(settings.cells, settings.initial_filters, settings.reductions)
    keys = stem_keys(CELL.nodes * settings.initial_filters, size)
    keys += edge_operations(settings, size)
    filters = settings.decoder_filters
    if settings.fusion == DENSE:
        levels = fused_cells(plans)
        keys += [alignment_key(levels, number, filters, size) for number in range(FUSION.inputs)]
    else:
        keys.append(pyramid_key(plans[-1], filters, size))
    dense = settings.fusion == DENSE
    return [*keys, classifier_key(plans, filters, dense, num_classes, size)]


def edge_operations(settings: GasSettings, size: Size) -> list[OpKey]:
    """All operations of every edge of the supernet, and the preprocessing of cells."""
    plans, keys = cell_plans(settings.cells, settings.initial_filters, settings.reductions), []
    for plan in plans:
        keys += [input_key(plan, each, size) for each in plan.inputs]
        edges = [
            edge_key(plan, edge, name, size)
            for edge in range(len(CELL.edges))
            for name in CELL_OPERATIONS
        ]
        keys += [key for key in edges if key is not None]
    if settings.fusion == DENSE:
        levels = fused_cells(plans)
        edges = [
            fusion_key(levels, name, settings.decoder_filters, size) for name in FUSION_OPERATIONS
        ]
        keys += [key for key in edges if key is not None] * len(FUSION.edges)
    return keys


def input_key(plan: CellPlan, source: CellInput, size: Size) -> OpKey:
    """Preprocessing of an input of a cell."""
    operation = "cell_reduction" if source.strides == 2 else "cell_input"
    return scaled_key(operation, source.scale, source.channels, plan.filters, size, source.strides)


def edge_key(plan: CellPlan, edge: int, name: str, size: Size) -> OpKey | None:
    """Operation `name` on an edge of a cell; None if it costs nothing."""
    strides = plan.edge_strides(edge)
    return operation_key(name, plan.scale // strides, plan.filters, size, strides)


def fusion_key(levels: Sequence[CellPlan], name: str, filters: int, size: Size) -> OpKey | None:
    """Operation `name` on an edge of the fusion cell; None if it costs nothing."""
    return operation_key(name, levels[1].scale, filters, size)


def alignment_key(levels: Sequence[CellPlan], number: int, filters: int, size: Size) -> OpKey:
    """Alignment of an input of the fusion cell."""
    plan = levels[number]
    operation = ALIGNMENTS[plan.scale / levels[1].scale]
    return scaled_key(operation, plan.scale, _channels(plan), filters, size)


def pyramid_key(plan: CellPlan, filters: int, size: Size) -> OpKey:
    """The pyramid after the last cell."""
    return scaled_key("atrous_pyramid", plan.scale, _channels(plan), filters, size)


def classifier_key(
    plans: Sequence[CellPlan], filters: int, dense: bool, num_classes: int, size: Size
) -> OpKey:
    """The classifier after the fusion cell (`dense`) or the pyramid, both of `filters` filters."""
    inputs = filters * (FUSION.nodes if dense else 1)
    scale = fused_cells(plans)[1].scale if dense else plans[-1].scale
    return scaled_key("gas_classifier", scale, inputs, num_classes, size)


def _channels(plan: CellPlan) -> int:
    return CELL.nodes * plan.filters
