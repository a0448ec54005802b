"""Expected costs of the networks of the joint space, given the probabilities of all choices.

Choices are independent, so the expectation of a product of two blocks' quantities is the product of
their expectations: block i counts with `P(depth >= i)`, and the width of its input is that of the
block before.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_fasterseg.spaces.joint.choices import Choices, operations, reached, stages
from keras_fasterseg.spaces.joint.settings import JointSettings

FLOPS_SIZE = (512, 1024)
FLOPS_CLASSES = 20


def output_widths(choices: Choices) -> tuple[Any, Any]:
    """Probabilities of the widths of a stage's features.

    Args:
        choices: Choices of one stage.

    Returns:
        Those of the input of every block, `(blocks, widths)`, with the largest width before the
        first block; and those of the stage's output, `(widths,)`.
    """
    outputs = ops.sum(choices["operation"][..., None] * choices["last"], axis=1)
    full = ops.one_hot([0], outputs.shape[-1], dtype="float32")
    inputs = ops.concatenate([full, outputs[:-1]])
    return inputs, ops.sum(choices["depth"][:, None] * outputs, axis=0)


def expected_gflops(choices: Choices, settings: JointSettings) -> Any:
    """Expected billions of operations at 512x1024, of the search model and with 20 classes.

    Counts as the paper does: multiply-adds with biases, and 4 per value for a 2x2 max-pool. The
    classifier always has the largest input.
    """
    pixels = {scale: FLOPS_SIZE[0] * FLOPS_SIZE[1] / scale**2 for scale in (2, 4, 8)}
    stem, early, late = settings.stem_filters, settings.early_filters, settings.late_filters

    def downsampler(scale: int, inputs: Any, outputs: int) -> Any:
        return pixels[scale] * ((9 * inputs + 1) * (outputs - inputs) + 4 * inputs)

    total = downsampler(2, 3, stem) + downsampler(4, stem, early)
    ends = []
    for scale, filters, own in zip((4, 8), (early, late), stages(settings, choices), strict=True):
        widths = ops.convert_to_tensor(settings.widths(filters), "float32")
        inputs, end = output_widths(own)
        width_in = ops.matmul(inputs, widths[:, None])
        middle, last = (ops.sum(own[name] * widths, axis=-1) for name in ("middle", "last"))
        pair = (3 * width_in + 1) * middle + (3 * middle + 1) * last
        is_pooled = ops.convert_to_tensor([each.pooled for each in operations(settings)], "float32")
        blocks = pixels[scale] * ops.where(is_pooled > 0, pair / 4 + width_in, pair)
        blocks = ops.sum(own["operation"] * blocks, axis=1)
        total = total + ops.sum(reached(own["depth"]) * blocks)
        ends.append(ops.sum(end * widths))
    total = total + downsampler(8, ends[0], late)
    return (total + pixels[8] * (late + 1) * FLOPS_CLASSES) / 1e9


@dataclasses.dataclass(frozen=True)
class StageLatencies:
    """Latencies of the blocks of a stage.

    Attributes:
        grid: Weights of the measured widths for every width, `(widths, grid)`.
        rows: Latency of a block, `(operations, grid, grid, grid)`: input, middle, output.
        exit: Latency of what follows the stage by width of its output, `(widths,)`.
    """

    grid: Any
    rows: Any
    exit: Any


def expected_latency(
    choices: Choices, settings: JointSettings, costs: Sequence[StageLatencies]
) -> Any:
    """Expected latency of all blocks and of what follows the stages, in milliseconds."""
    total = 0.0
    for own, cost in zip(stages(settings, choices), costs, strict=True):
        inputs, end = output_widths(own)
        inputs, middle, last = (
            ops.matmul(widths, cost.grid) for widths in (inputs, own["middle"], own["last"])
        )
        blocks = ops.einsum("ni,nom,nol,oiml->no", inputs, middle, last, cost.rows)
        blocks = ops.sum(own["operation"] * blocks, axis=1)
        total = total + ops.sum(reached(own["depth"]) * blocks) + ops.sum(end * cost.exit)
    return total
