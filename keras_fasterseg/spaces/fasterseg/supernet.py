"""The network that contains every network of the space."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_fasterseg.genotype import SCALES, node_filters
from keras_fasterseg.layers.gumbel_softmax import straight_through_gate
from keras_fasterseg.layers.layer_stack import LayerStack
from keras_fasterseg.layers.mixed_op import MixedOp
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.spaces.fasterseg.architecture import MINIMAL_LAYERS
from keras_fasterseg.spaces.fasterseg.choices import (
    STUDENT,
    TEACHER,
    WIDTH_MULTIPLIERS,
    Choices,
)
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions, SupernetDecoder

STEM_HEAD_WIDTHS = {TEACHER: 1.0, STUDENT: 8 / 12}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Supernet(keras.Model):
    """FasterSeg's slimmable multi-resolution supernet.

    Cells stand at (layer i, scale j <= i), j = 0, 1, 2 for 1/8, 1/16, 1/32. A cell keeps its scale
    (stride 1) and, unless it is at 1/32 or in the last layer, goes down one (stride 2); both ways
    are a `MixedOp` with the cell's one alpha. Cells of one kind are a `LayerStack`. Stem, decoder
    and heads exist twice, for the teacher and for the student.

    Args:
        num_classes: Number of classes.
        num_layers: Number of layers L, at least 4.
        base_filters: Base filters F: a node at scale s has s * F filters at full width.
        width_multipliers: The widths a node chooses from, ascending, the last one 1.
        stem_head_widths: Width multiplier of stem and heads by role, each a width multiplier.
        blend: Where the two paths into a node join: "inputs" (the paper: blend, then run the cell
            once) or "outputs" (the released code: run the cell on both, then blend). They agree
            for one-hot betas; inputs cost half.

    Call arguments:
        images: `(batch, height, width, 3)`, normalised, sides multiples of 32 and at least 64.
        choices: `Choices`.
        training: Whether batch statistics are used and the running ones updated.
        frozen: Whether no gradient to the weights of the cells will be asked for, which spares
            its computation.

    Returns:
        `Predictions`: five logits at 1/8.

    Reference:
        FasterSeg, section 3 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        num_classes: int,
        num_layers: int = 16,
        base_filters: int = 12,
        width_multipliers: tuple[float, ...] = WIDTH_MULTIPLIERS,
        stem_head_widths: Mapping[str, float] | None = None,
        blend: str = "inputs",
        **kwargs,
    ):
        super().__init__(**kwargs)
        widths = dict(STEM_HEAD_WIDTHS if stem_head_widths is None else stem_head_widths)
        _validate(num_layers, width_multipliers, widths, blend)
        self.num_classes = num_classes
        self.num_layers = num_layers
        self.base_filters = base_filters
        self.width_multipliers = tuple(width_multipliers)
        self.stem_head_widths = widths
        self.blend = blend
        self.stems = {
            role: Stem(base_filters, width, dtype=self.dtype_policy, name=f"{role}_stem")
            for role, width in widths.items()
        }
        self.decoders = {
            role: SupernetDecoder(
                num_classes, base_filters, width, dtype=self.dtype_policy, name=f"{role}_decoder"
            )
            for role, width in widths.items()
        }
        # Cells keep at layers j .. L - 1; they go down at layers j .. L - 2.
        self.keep = [self._stack(j, 1, num_layers - j) for j in range(3)]
        self.down = [self._stack(j, 2, num_layers - 1 - j) for j in range(2)]

    def _stack(self, scale_index: int, strides: int, count: int) -> LayerStack:
        scale = SCALES[scale_index]
        filters = node_filters(scale * strides, self.base_filters, 1.0)
        dtype, width_multipliers = self.dtype_policy, self.width_multipliers

        def make_layer():
            return MixedOp(filters, strides, width_multipliers, dtype=dtype, name="cell")

        name = f"{'keep' if strides == 1 else 'down'}_{scale}"
        return LayerStack(make_layer, count, dtype=dtype, name=name)

    def build(self, images_shape=(None, None, None, 3)):
        for role, width in self.stem_head_widths.items():
            self.stems[role].build(images_shape)
            features = [
                (None, None, None, node_filters(scale, self.base_filters, width))
                for scale in SCALES
            ]
            self.decoders[role].build(features)
        for stacks in (self.keep, self.down):
            for scale, stack in zip(SCALES, stacks, strict=False):
                stack.build((None, None, None, node_filters(scale, self.base_filters, 1.0)))
        self.built = True

    def call(
        self,
        images: Any,
        choices: Choices,
        training: bool = False,
        frozen: bool = False,
    ) -> Predictions:
        features = self.trunk(images, choices, training, frozen)
        return self.decoders[choices.role](features, training=training)

    def trunk(
        self, images: Any, choices: Choices, training: bool = False, frozen: bool = False
    ) -> list[Any]:
        """Outputs of the last layer at 1/8, 1/16 and 1/32, as wide as the heads of the role."""
        features = self.stems[choices.role](images, training=training)
        head_filters = self.stem_head_widths[choices.role]
        head_width = self.width_multipliers.index(head_filters)
        if not isinstance(choices.widths, int):
            features = _pad_channels(features, node_filters(8, self.base_filters, 1.0))
            head_width = ops.one_hot(head_width, len(self.width_multipliers), dtype="float32")
        outputs = self._cells(
            features,
            choices.alphas,
            choices.betas,
            choices.widths,
            head_width,
            training=training,
            frozen=frozen,
        )
        return [
            output[..., : node_filters(scale, self.base_filters, head_filters)]
            for scale, output in zip(SCALES, outputs, strict=True)
        ]

    def _cells(self, features, alphas, betas, widths, head_width, training, frozen):
        nodes = _Nodes(self.num_layers, widths, head_width)
        keep_runs = [stack.start(training, frozen) for stack in self.keep]
        down_runs = [stack.start(training, frozen) for stack in self.down]
        kept, downed = [features], []
        for layer in range(self.num_layers):
            inputs = self._node_inputs(layer, kept, downed, betas)
            kept, downed = [], []
            for j, node_inputs in enumerate(inputs):
                alpha = alphas[j][layer - j] * nodes.gate(layer - 1, j)

                def mix(run, destination, layer=layer, j=j, node_inputs=node_inputs, alpha=alpha):
                    weights = alpha * nodes.gate(layer, destination)
                    width = nodes.width(layer, destination)
                    results = [run(layer - j, x, weights, width) for _, x in node_inputs]
                    return _blend([share for share, _ in node_inputs], results, self.compute_dtype)

                kept.append(mix(keep_runs[j], j))
                if j < 2 and layer + 1 < self.num_layers:
                    downed.append(mix(down_runs[j], j + 1))
        for stack_run in (*keep_runs, *down_runs):
            stack_run.finish()
        return kept

    def _node_inputs(self, layer, kept, downed, betas):
        """For each scale the inputs of its cell as `[(share or None, features), ...]`."""
        inputs = [[(None, kept[0])]]
        for j in range(1, min(layer, 2) + 1):
            if layer == j:
                inputs.append([(None, downed[j - 1])])
                continue
            beta = betas[j - 1][layer - j - 1]
            pair = [(beta[0], downed[j - 1]), (beta[1], kept[j])]
            if self.blend == "inputs":
                shares, features = zip(*pair, strict=True)
                pair = [(None, _blend(shares, features, self.compute_dtype))]
            inputs.append(pair)
        return inputs

    def get_config(self):
        config = {
            "num_classes": self.num_classes,
            "num_layers": self.num_layers,
            "base_filters": self.base_filters,
            "width_multipliers": self.width_multipliers,
            "stem_head_widths": self.stem_head_widths,
            "blend": self.blend,
        }
        return {**super().get_config(), **config}


class _Nodes:
    """Widths and gates of the nodes; the node (layer, j) is what layer `layer` hands to scale j.

    Nodes after the last layer feed the heads and have their width.
    """

    def __init__(self, num_layers: int, widths: Any, head_width: Any):
        self._last = num_layers - 1
        self._widths = widths
        self._head_width = head_width
        self._static = isinstance(widths, int)
        self._gates = None if self._static else [straight_through_gate(rows) for rows in widths]

    def width(self, layer: int, j: int) -> Any:
        """Width of a node as the layers take it."""
        if layer == self._last:
            return self._head_width
        return self._widths if self._static else self._widths[j][_row(layer, j)]

    def gate(self, layer: int, j: int) -> Any:
        """1, with the gradient of a sampled width; plainly 1 for stem, heads and fixed widths."""
        if self._static or layer < 0 or layer == self._last:
            return 1.0
        return self._gates[j][_row(layer, j)]


def _row(layer: int, j: int) -> int:
    return layer if j == 0 else layer - j + 1


def _blend(shares, features, dtype):
    if shares[0] is None:
        return features[0]
    return sum(ops.cast(share, dtype) * x for share, x in zip(shares, features, strict=True))


def _pad_channels(features, channels: int):
    missing = channels - features.shape[-1]
    return ops.pad(features, ((0, 0), (0, 0), (0, 0), (0, missing))) if missing else features


def _validate(num_layers, width_multipliers, stem_head_widths, blend):
    if num_layers < MINIMAL_LAYERS:
        raise ValueError(
            f"`num_layers` must be at least {MINIMAL_LAYERS}. Received: num_layers={num_layers}"
        )
    if width_multipliers[-1] != 1.0:
        raise ValueError(
            f"The last of `width_multipliers` must be 1. Received: {tuple(width_multipliers)}"
        )
    for role, width in stem_head_widths.items():
        if width not in width_multipliers:
            raise ValueError(
                f"The stem and head width of the {role} must be one of the width multipliers "
                f"{tuple(width_multipliers)}. Received: {width}"
            )
    if blend not in ("inputs", "outputs"):
        raise ValueError(f'`blend` must be "inputs" or "outputs". Received: blend={blend!r}')
