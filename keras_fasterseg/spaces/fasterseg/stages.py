"""A network as the list of operations that it runs, for its cost on paper and on a device."""

import dataclasses

from keras_fasterseg.genotype import Genotype
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import multiply_accumulates
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.layers.stem import stem_filters
from keras_fasterseg.spaces.fasterseg.plan import FeaturePlan, plan_network


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of a network.

    Attributes:
        name: Name of its layer, a part of it after a dot.
        keys: The operations it runs; none for a skip of stride 1, which is the identity.
        training_only: Whether only training has it: the auxiliary heads.
    """

    name: str
    keys: tuple[OpKey, ...]
    training_only: bool = False


def network_stages(
    genotype: Genotype, input_size: tuple[int, int], num_classes: int = 19
) -> tuple[Stage, ...]:
    """The stages of the network of `genotype`, in the order in which they can run.

    Args:
        genotype: The network.
        input_size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.

    Raises:
        ValueError: `input_size` is not of multiples of 32.
    """
    check_input_size(input_size)
    plan = plan_network(genotype)

    def key(operation: str, source: FeaturePlan, filters: int, stride: int = 1) -> OpKey:
        height, width = (side // source.scale for side in input_size)
        return OpKey(operation, height, width, source.filters, filters, stride)

    stages = [
        Stage(f"stem.{index}", (stem_key,))
        for index, stem_key in enumerate(
            stem_keys(genotype.base_filters, genotype.stem_width, input_size)
        )
    ]
    for cell in plan.cells:
        identity = cell.cell.primitive == "skip" and cell.cell.stride == 1
        cell_key = key(cell.cell.primitive, cell.source, cell.output.filters, cell.cell.stride)
        stages.append(Stage(cell.name, () if identity else (cell_key,)))
    for steps in plan.joins:
        for join in steps:
            filters = join.output.filters
            joined = FeaturePlan(join.name, join.fine.scale, filters + join.fine.filters)
            reduction = key("conv_bn_relu_1x1", join.coarse, filters)
            stages.append(Stage(join.name, (reduction, key("conv_bn_relu_3x3", joined, filters))))
    fused = _concatenated(plan.outputs)
    stages.append(Stage("fusion", (key("fusion", fused, fused.filters),)))
    stages.append(Stage("head", (key("head", fused, num_classes),)))
    for scale, features in plan.auxiliary.items():
        head = key("head", _concatenated(features), num_classes)
        stages.append(Stage(f"auxiliary_head_{scale}", (head,), training_only=True))
    return tuple(stages)


def predicted_latency_ms(genotype: Genotype, table: LatencyTable, num_classes: int = 19) -> float:
    """The latency of the deployed network by `table`, in milliseconds.

    The sum of the rows of all its stages, and of `serving_key` if the table was measured with it;
    by the table's calibration, if there is one.

    Raises:
        KeyError: The table lacks a row.
    """
    size = table.metadata.input_size
    serving = serving_key(size, num_classes)
    surrounding = (serving,) if serving in table else ()
    return table.predicted_ms((*deployed_keys(genotype, size, num_classes), *surrounding))


def deployed_keys(
    genotype: Genotype, input_size: tuple[int, int], num_classes: int
) -> tuple[OpKey, ...]:
    """The operations of the deployed network, without its auxiliary heads."""
    stages = network_stages(genotype, input_size, num_classes)
    return tuple(key for stage in stages if not stage.training_only for key in stage.keys)


def served_macs(genotype: Genotype, input_size: tuple[int, int], num_classes: int) -> int:
    """Multiply-accumulates of the deployed network for one image of any size.

    Counted at the size padded to multiples of 32, which is what really runs.
    """
    height, width = (-(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in input_size)
    return sum(map(multiply_accumulates, deployed_keys(genotype, (height, width), num_classes)))


def serving_key(input_size: tuple[int, int], num_classes: int) -> OpKey:
    """What surrounds the network from uint8 images to class ids, whatever the network."""
    return OpKey("serving", *input_size, 3, num_classes, 1)


def stem_keys(base_filters: int, width: float, input_size: tuple[int, int]) -> tuple[OpKey, ...]:
    """The stem's three operations."""
    height, columns = input_size
    first, second, third = stem_filters(base_filters, width)
    return (
        OpKey("conv_bn_relu_3x3", height, columns, 3, first, 2),
        OpKey("conv_2x", height // 2, columns // 2, first, second, 2),
        OpKey("conv_2x", height // 4, columns // 4, second, third, 2),
    )


def check_input_size(input_size: tuple[int, int]) -> None:
    """Raises `ValueError` unless height and width are positive multiples of 32."""
    if any(side < 32 or side % 32 for side in input_size):
        raise ValueError(
            "The input size must be positive multiples of 32, height x width. "
            f"Received: {input_size[0]}x{input_size[1]}"
        )


def _concatenated(features: tuple[FeaturePlan, ...]) -> FeaturePlan:
    return FeaturePlan("", features[0].scale, sum(feature.filters for feature in features))
