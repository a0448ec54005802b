"""Network as a list of operations, for computing its work and its latency."""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.stem import stem_filters
from keras_fasterseg.spaces.cost import check_input_size
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.plan import FeaturePlan, plan_network
from keras_fasterseg.spaces.stage import Stage


def network_stages(
    genotype: FasterSegGenotype, input_size: tuple[int, int], num_classes: int = 19
) -> tuple[Stage, ...]:
    """Stages of the network of `genotype`, in an executable order.

    Args:
        genotype: The network.
        input_size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.

    Raises:
        ValueError: A side of `input_size` is not a multiple of 32.
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


def stem_keys(base_filters: int, width: float, input_size: tuple[int, int]) -> tuple[OpKey, ...]:
    """The stem's three operations."""
    height, columns = input_size
    first, second, third = stem_filters(base_filters, width)
    return (
        OpKey("conv_bn_relu_3x3", height, columns, 3, first, 2),
        OpKey("conv_2x", height // 2, columns // 2, first, second, 2),
        OpKey("conv_2x", height // 4, columns // 4, second, third, 2),
    )


def _concatenated(features: tuple[FeaturePlan, ...]) -> FeaturePlan:
    return FeaturePlan("", features[0].scale, sum(feature.filters for feature in features))
