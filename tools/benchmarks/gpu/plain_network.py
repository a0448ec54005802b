"""A derived network as a list of plain steps with NumPy weights, for engines tuned by hand.

The list has none of Keras's layers: an engine runs it with one method per kind of step, in any
library, layout and precision. Two changes keep the outputs the same and may be faster: batch
normalisation folded into the convolutions before it, and channels padded with zeros.
"""

import dataclasses
import fractions
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fasterseg.spaces.network import SegmentationNetwork

HALF = fractions.Fraction(1, 2)


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation on feature maps.

    Attributes:
        kind: "convolution", "normalization", "relu", "resize", "concatenate", "shift", "max_pool",
            "average_pool", "bins" or "residual"; "images" for the first step.
        sources: Numbers of the steps whose results it reads.
        values: Weights (NumPy arrays, kernels as `(height, width, inputs, outputs)`) and settings.
    """

    kind: str
    sources: tuple[int, ...] = ()
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


def plain_steps(network: SegmentationNetwork, folded: bool, multiple: int = 1) -> list[Step]:
    """Lists the steps from normalised images to full-size logits, with the network's weights.

    Args:
        network: A network without auxiliary heads.
        folded: Whether to fold each batch normalisation into the convolution before it.
        multiple: Pads the output channels of all convolutions except the last with zeros to a
            multiple of this number.

    Raises:
        KeyError: The network has a layer whose steps are not known here.
        ValueError: Channels of the network cannot be padded: it has residual blocks.
    """
    builder = _Builder(folded)
    builder.value_of(network.output)
    return builder.steps if multiple == 1 else pad_channels(builder.steps, multiple)


def last_uses(steps: Sequence[Step]) -> list[list[int]]:
    """For every step, the earlier steps whose results nothing reads after it."""
    last = {source: index for index, step in enumerate(steps) for source in step.sources}
    uses: list[list[int]] = [[] for _ in steps]
    for source, index in last.items():
        uses[index].append(source)
    return uses


def run_steps(engine: Any, images: Any) -> Any:
    """Runs `engine.steps` with the engine's method of each kind, and frees results after use."""
    results = {0: images}
    for index, (step, unused) in enumerate(zip(engine.steps, engine.last_uses, strict=True)):
        if index:
            sources = [results[source] for source in step.sources]
            results[index] = getattr(engine, step.kind)(step.values, *sources)
        for source in unused:
            del results[source]
    return results[len(engine.steps) - 1]


class _Builder:
    """Adds the steps of layers, which are found by the names of their classes."""

    def __init__(self, folded: bool) -> None:
        self.folded = folded
        self.steps = [Step("images")]
        self._results: dict[int, int] = {}

    def value_of(self, tensor: Any) -> int:
        """Number of the step with the result of a symbolic tensor; adds the steps before it."""
        if id(tensor) not in self._results:
            layer, node, _ = tensor._keras_history
            sources = [self.value_of(each) for each in layer._inbound_nodes[node].input_tensors]
            self._results[id(tensor)] = self.layer(layer, *sources)
        return self._results[id(tensor)]

    def layer(self, layer: Any, *sources: int) -> int:
        return _LAYERS[type(layer).__name__](self, layer, *sources)

    def add(self, kind: str, *sources: int, **values: Any) -> int:
        self.steps.append(Step(kind, sources, values))
        return len(self.steps) - 1

    def convolution(self, source: int, layer: Any, strides: int = 1) -> int:
        kernel, *bias = layer.get_weights()
        rates = layer.dilation_rate
        return self.kernel(source, kernel, strides, rates, *bias, float32=bool(bias))

    def kernel(
        self, source: int, kernel: Any, strides: int, rates=(1, 1), bias=None, float32=False
    ) -> int:
        padding = tuple(
            rate * (side // 2) for rate, side in zip(rates, kernel.shape[:2], strict=True)
        )
        settings = {"strides": strides, "padding": padding, "rates": rates, "float32": float32}
        return self.add("convolution", source, kernel=np.asarray(kernel), bias=bias, **settings)

    def normalization(self, layer: Any, *sources: int) -> int:
        """Normalises the concatenation of the sources."""
        gamma, beta, mean, variance = (each.astype("float64") for each in layer.get_weights())
        scale = gamma / np.sqrt(variance + layer.epsilon)
        scale, offset = scale.astype("float32"), (beta - mean * scale).astype("float32")
        if not self.folded:
            return self.add("normalization", self.joined(*sources), scale=scale, offset=offset)
        ends = np.cumsum([self.channels(source) for source in sources])[:-1]
        parts = zip(sources, np.split(scale, ends), np.split(offset, ends), strict=True)
        return self.joined(*(self.fold(*part) for part in parts))

    def channels(self, source: int) -> int:
        """Output channels of a convolution or of the pooled input of a downsampler."""
        step = self.steps[source]
        if step.kind == "convolution":
            return step.values["kernel"].shape[-1]
        if step.kind == "concatenate":
            return sum(map(self.channels, step.sources))
        if step.kind == "normalization":
            return len(step.values["scale"])
        return self.channels(step.sources[0]) if step.sources else 3

    def fold(self, source: int, scale: np.ndarray, offset: np.ndarray) -> int:
        step = self.steps[source]
        if step.kind != "convolution":
            return self.add("normalization", source, scale=scale, offset=offset)
        kernel = (step.values["kernel"].astype("float64") * scale).astype("float32")
        self.steps[source] = dataclasses.replace(
            step, values={**step.values, "kernel": kernel, "bias": offset}
        )
        return source

    def joined(self, *sources: int) -> int:
        return sources[0] if len(sources) == 1 else self.add("concatenate", *sources)

    # === Layers ===

    def block(self, layer: Any, source: int) -> int:
        result = self.convolution(source, layer.convolution, layer.strides)
        result = self.normalization(layer.normalization, result)
        return self.add("relu", result) if layer.relu else result

    def primitive(self, layer: Any, source: int) -> int:
        result = self.add("resize", source, scale=HALF) if layer.zoomed else source
        for block in layer.blocks:
            result = self.block(block, result)
        return (
            self.add("relu", self.add("resize", result, source)) if layer.resizes_back else result
        )

    def reduce(self, layer: Any, source: int) -> int:
        even, odd = layer.get_weights()[:2]
        halves = [(source, even), (self.add("shift", source), odd)]
        results = [self.kernel(part, kernel, 2) for part, kernel in halves]
        return self.add("relu", self.normalization(layer.normalization, *results))

    def upsample_fusion(self, layer: Any, coarse: int, fine: int) -> int:
        resized = self.add("resize", self.block(layer.reduction, coarse), fine)
        return self.block(layer.refinement, self.joined(resized, fine))

    def stem(self, layer: Any, source: int) -> int:
        for stage in layer.stages:
            source = self.layer(stage, source)
        return source

    def head(self, layer: Any, source: int) -> int:
        result = self.block(layer.convolution, source) if layer.hidden else source
        return self.convolution(result, layer.classifier)

    def resize(self, layer: Any, source: int) -> int:
        return self.add("resize", source, scale=fractions.Fraction(layer.scale))

    def downsampler(self, layer: Any, source: int) -> int:
        branches = self.convolution(source, layer.convolution, 2), self.add("max_pool", source)
        return self.add("relu", self.normalization(layer.normalization, *branches))

    def factorized_block(self, layer: Any, source: int) -> int:
        result = self.add("max_pool", source) if layer.pooled else source
        result = self.convolution(result, layer.vertical)
        result = self.add("relu", self.normalization(layer.vertical_normalization, result))
        result = self.convolution(result, layer.horizontal)
        result = self.normalization(layer.horizontal_normalization, result)
        result = self.add("resize", result, source) if layer.pooled else result
        return self.add("relu", self.add("residual", result, source))

    def pyramid_pooling(self, layer: Any, source: int) -> int:
        maps = [source]
        for count, reduction in zip(layer.bins, layer.reductions, strict=True):
            reduced = self.block(reduction, self.add("bins", source, count=count))
            maps.append(self.add("resize", reduced, source))
        return self.block(layer.projection, self.joined(*maps))


_LAYERS = {
    "InputLayer": lambda builder, layer: 0,
    "Identity": lambda builder, layer, source: source,
    "Concatenate": lambda builder, layer, *sources: builder.joined(*sources),
    "AveragePooling2D": lambda builder, layer, source: builder.add("average_pool", source),
    "ConvBatchNorm": _Builder.block,
    "ConvPrimitive": _Builder.primitive,
    "FactorizedReduce": _Builder.reduce,
    "UpsampleFusion": _Builder.upsample_fusion,
    "Stem": _Builder.stem,
    "Head": _Builder.head,
    "Resize": _Builder.resize,
    "Downsampler": _Builder.downsampler,
    "FactorizedBlock": _Builder.factorized_block,
    "PyramidPooling": _Builder.pyramid_pooling,
}


def pad_channels(steps: Sequence[Step], multiple: int) -> list[Step]:
    """Pads the channels of feature maps with zeros; the outputs of the steps stay the same.

    Args:
        steps: The steps of a network.
        multiple: Every convolution except those in float32 gets a multiple of it as outputs.

    Raises:
        ValueError: The network has residual blocks.
    """
    # Of every step's result: where the real channels are, and the number of all channels.
    places: list[tuple[np.ndarray, int]] = []
    padded = []
    for step in steps:
        values = dict(step.values)
        sources = [places[source] for source in step.sources]
        if step.kind == "images":
            place = np.arange(3), 3
        elif step.kind == "residual":
            raise ValueError("Channels of a network with residual blocks cannot be padded.")
        elif step.kind == "concatenate":
            starts = np.cumsum([0, *(total for _, total in sources)])
            moved = [real + start for (real, _), start in zip(sources, starts, strict=False)]
            place = np.concatenate(moved), int(starts[-1])
        elif step.kind == "convolution":
            (real, total), kernel = sources[0], values["kernel"]
            filters = kernel.shape[-1]
            if not values["float32"]:
                filters = -(-filters // multiple) * multiple
            values["kernel"] = np.zeros((*kernel.shape[:2], total, filters), "float32")
            values["kernel"][:, :, real, : kernel.shape[-1]] = kernel
            place = np.arange(kernel.shape[-1]), filters
            if values["bias"] is not None:
                values["bias"] = _spread(values["bias"], *place)
        else:
            place = sources[0]
            if step.kind == "normalization":
                values = {name: _spread(array, *place) for name, array in values.items()}
        padded.append(dataclasses.replace(step, values=values))
        places.append(place)
    return padded


def _spread(array: np.ndarray, real: np.ndarray, total: int) -> np.ndarray:
    spread = np.zeros(total, "float32")
    spread[real] = array
    return spread
