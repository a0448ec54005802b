"""Supernet: the network that contains every network of the search space."""

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_fasterseg.filters import node_filters
from keras_fasterseg.layers.gumbel_softmax import straight_through_gate
from keras_fasterseg.layers.layer_stack import LayerStack, scan_layers, scans, trace_once
from keras_fasterseg.layers.mixed_op import MixedOp
from keras_fasterseg.layers.slimmable_conv2d import scale_settings
from keras_fasterseg.layers.stateful_cond import stateful_cond
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.spaces.fasterseg.architecture import MINIMAL_LAYERS
from keras_fasterseg.spaces.fasterseg.choices import Choices, width_shapes
from keras_fasterseg.spaces.fasterseg.genotype import SCALES
from keras_fasterseg.spaces.fasterseg.settings import WIDTH_MULTIPLIERS, FasterSegSettings
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions, SupernetDecoder
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

STEM_HEAD_WIDTHS = FasterSegSettings().stem_head_widths


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Supernet(keras.Model):
    """FasterSeg's slimmable multi-resolution supernet.

    Cells exist at (layer i, scale j <= i), with j = 0, 1, 2 for 1/8, 1/16, 1/32. Every cell has an
    output at its own scale (stride 1). Unless it is at 1/32 or in the last layer, it also has an
    output one scale down (stride 2). Each output is a `MixedOp`, both with the cell's alpha. Cells
    of one kind are a `LayerStack`. Stem, decoder and heads exist twice: for teacher and student.

    Args:
        num_classes: Number of classes.
        num_layers: Number of layers L, at least 4.
        base_filters: Base filters F: a node at scale s has s * F filters at full width.
        width_multipliers: Possible widths of a node, ascending; the last is 1.
        stem_head_widths: Width of stem and heads by role; each must be one of `width_multipliers`.
        blend: Order of blending the two paths into a node. "inputs" (the paper): blend, then run
            the cell once. "outputs" (the released code): run the cell on both, then blend. The
            results are equal for one-hot betas; "inputs" costs half.

    Call arguments:
        images: `(batch, height, width, 3)`, normalised; sides are multiples of 32 and at least 64.
        choices: `Choices`. With several settings, one pass runs all images under each setting: the
            weights are read once, and each setting has its own batch statistics. A stem processes
            the images once for consecutive settings of its role and updates its statistics once.
        training: Whether batch statistics are used and the running ones updated.
        frozen: True if no gradient to the weights of the cells is needed; skips its computation.

    Returns:
        `Predictions`: five logits at 1/8, `(settings * batch, ...)`, setting by setting.

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
        self._decode = {
            role: trace_once(decoder, on_jax=False) for role, decoder in self.decoders.items()
        }
        # Cells of stride 1 are at layers j .. L - 1, cells of stride 2 at layers j .. L - 2.
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
        outputs = self._last_layer(images, choices, training, frozen)
        parts, start = [], 0
        for role, settings in _runs_of_roles(choices):
            share = start, settings, choices.settings
            parts.append(
                self._of_role(
                    role,
                    self.decoders,
                    lambda name, share=share, settings=settings: self._decode[name](
                        self._head_inputs(outputs, name, *share),
                        training=training,
                        settings=settings,
                    ),
                )
            )
            start += settings
        if len(parts) == 1:
            return parts[0]
        return Predictions(*(ops.concatenate(each, axis=0) for each in zip(*parts, strict=True)))

    def trunk(
        self, images: Any, choices: Choices, training: bool = False, frozen: bool = False
    ) -> list[Any]:
        """Outputs of the last layer at 1/8, 1/16 and 1/32, for one setting.

        They have the head width of the setting's role.
        """
        outputs = self._last_layer(images, choices, training, frozen)
        return self._head_inputs(outputs, choices.role)

    def _last_layer(self, images, choices, training, frozen):
        static = isinstance(choices.widths, int)
        count = choices.settings
        filters = node_filters(8, self.base_filters, 1.0)
        features, head_widths = [], []

        def stem(name):
            outputs = self.stems[name](images, training=training)
            return outputs if static else _pad_channels(outputs, filters)

        def head_width(name):
            index = self.width_multipliers.index(self.stem_head_widths[name])
            return index if static else ops.one_hot(index, len(self.width_multipliers))

        for role, settings in _runs_of_roles(choices):
            # The stem's input is the same for all settings of a role.
            features += [self._of_role(role, self.stems, stem)] * settings
            head_widths += [self._of_role(role, {}, head_width)] * settings
        several = len(choices.alphas[0].shape) == 3
        families = choices.alphas, choices.betas, choices.widths
        if several:
            # A layer uses one row of every setting.
            families = ([ops.swapaxes(rows, 0, 1) for rows in family] for family in families)
        return self._cells(
            features[0] if count == 1 else ops.concatenate(features, axis=0),
            *families,
            ops.stack(head_widths) if several else head_widths[0],
            training=training,
            frozen=frozen,
        )

    def _of_role(self, role, layers, function):
        """Runs `function` for a role; it uses `layers`, which are also by role."""
        if isinstance(role, str):
            return function(role)
        variables = [variable for layer in layers.values() for variable in layer.variables]
        return stateful_cond(role, lambda: function(STUDENT), lambda: function(TEACHER), variables)

    def _head_inputs(self, outputs, role, start=0, count=1, settings=1):
        """Outputs at the width of the role's heads, for `count` settings from `start` on."""
        width = self.stem_head_widths[role]
        inputs = []
        for scale, output in zip(SCALES, outputs, strict=True):
            if count < settings:
                images = ops.shape(output)[0] // settings
                output = output[start * images : (start + count) * images]
            inputs.append(output[..., : node_filters(scale, self.base_filters, width)])
        return inputs

    def _cells(self, features, alphas, betas, widths, head_width, training, frozen):
        runs = [
            [stack.start(training, frozen) for stack in stacks] for stacks in (self.keep, self.down)
        ]
        rows_of = functools.partial(
            _rows_of_layer,
            _primitive_weights(alphas, widths),
            _output_widths(widths, head_width, self.num_layers),
            [[ops.split(row, 2, axis=-1) for row in ops.unstack(rows)] for rows in betas],
        )

        def run_layer(state, rows, layer=None):
            (kept, downed), (cells, betas) = state, rows
            inputs = self._node_inputs(kept, downed, betas)
            return tuple(
                [
                    _blend(
                        [share for share, _ in node_inputs],
                        [
                            run(None if layer is None else layer - j, x, *cell)
                            for _, x in node_inputs
                        ],
                    )
                    for j, (run, node_inputs, cell) in enumerate(
                        zip(of_stride, inputs, of_layer, strict=False)
                    )
                ]
                for of_stride, of_layer in zip(runs, cells, strict=True)
            )

        # All layers from the fourth to the last but one have the same cells.
        equal = range(3, 3 if isinstance(widths, int) else self.num_layers - 1)
        state, every = ([features], []), [run for of_stride in runs for run in of_stride]
        for layer in range(self.num_layers):
            if not scans(equal) or layer not in equal:
                state = run_layer(state, rows_of(layer), layer)
            elif layer == equal[0]:
                layers = [
                    (run, layer - j, 1) for of_stride in runs for j, run in enumerate(of_stride)
                ]
                state = scan_layers(run_layer, state, list(map(rows_of, equal)), layers)
        for run in every:
            run.finish()
        return state[0]

    def _node_inputs(self, kept, downed, betas):
        """Inputs of the cell at each scale, as `[(share or None, features), ...]`."""
        inputs = [[(None, kept[0])]]
        for j, fine in enumerate(downed, start=1):
            if len(kept) == j:
                inputs.append([(None, fine)])
                continue
            beta = betas[j - 1]
            pair = [(beta[0], fine), (beta[1], kept[j])]
            if self.blend == "inputs":
                shares, features = zip(*pair, strict=True)
                pair = [(None, _blend(shares, features))]
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


def _primitive_weights(alphas, widths):
    """Weights of the primitives: alphas times the gates of the nodes before and after the cell.

    Cells are counted from the first of their scale; cell i of scale j is in layer i + j. Stem and
    heads have no gate. Fixed widths have no gates at all.

    Returns:
        Two lists by scale, for stride 1 and for stride 2; each entry has one tensor per cell.
    """
    if isinstance(widths, int):
        keep, down = alphas, [rows[:-1] for rows in alphas[:2]]
    else:
        gates = [straight_through_gate(rows)[..., None] for rows in widths]
        one = ops.ones_like(gates[0][:1])
        before = [ops.concatenate([one, gates[0]]), *gates[1:]]
        behind = [gates[0], *(rows[1:] for rows in gates[1:])]
        gated = [alpha * gate for alpha, gate in zip(alphas, before, strict=True)]
        keep = [
            rows * ops.concatenate([gate, one]) for rows, gate in zip(gated, behind, strict=True)
        ]
        down = [rows[:-1] * gate for rows, gate in zip(gated, gates[1:], strict=False)]
    # Unstacked once per pass: slices at every use would be a third of the graph.
    return tuple([ops.unstack(rows) for rows in each] for each in (keep, down))


def _output_widths(widths, head_width, num_layers):
    """Width of the node after each cell, in the order of `_primitive_weights`."""
    if isinstance(widths, int):
        rows = [[widths] * count for count in width_shapes(num_layers)]
    else:
        rows = [ops.unstack(each) for each in widths]
    keep = [[*rows[0], head_width], *([*each[1:], head_width] for each in rows[1:])]
    return keep, rows[1:]


def _rows_of_layer(weights, widths, betas, layer):
    """Weights and width of every cell of a layer, by stride and scale, and betas by scale."""
    cells = [
        [
            (rows[layer - j], width[layer - j])
            for j, (rows, width) in enumerate(zip(*of_stride, strict=True))
            if 0 <= layer - j < len(rows)
        ]
        for of_stride in zip(weights, widths, strict=True)
    ]
    return cells, [rows[layer - j] for j, rows in enumerate(betas, start=2) if layer >= j]


def _blend(shares, features):
    if shares[0] is None:
        return features[0]
    return sum(scale_settings(x, share) for share, x in zip(shares, features, strict=True))


def _runs_of_roles(choices: Choices) -> list[tuple[Any, int]]:
    """Roles with the number of consecutive settings of each."""
    if isinstance(choices.role, tuple):
        return [(role, len(list(each))) for role, each in itertools.groupby(choices.role)]
    return [(choices.role, choices.settings)]


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
