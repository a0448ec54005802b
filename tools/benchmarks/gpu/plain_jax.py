"""A network's plain steps in JAX."""

# pyright: reportMissingImports=false
# JAX is installed in a separate environment.
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.layers.resize import interpolation_matrix
from keras_fasterseg.spaces.network import SegmentationNetwork
from tools.benchmarks.gpu.plain_network import last_uses, plain_steps, run_steps


class PlainJax:
    """Maps uint8 images `(batch, height, width, 3)` to logits `(batch, height, width, classes)`.

    Call it as `network(weights, images)` in `jax.jit`, with its `weights`.

    Args:
        network: The network, without auxiliary heads; its weights are copied.
        dtype: Precision of weights and feature maps; logits are float32.
        folded: Whether batch normalisation is folded into the convolutions.
        multiple: Number whose multiples the channels are padded to.
        products: Whether to resize by products with interpolation matrices, instead of reading the
            two nearest rows and columns of every pixel.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        dtype: str = "float32",
        folded: bool = False,
        multiple: int = 1,
        products: bool = False,
    ) -> None:
        self.steps = plain_steps(network, folded, multiple)
        self.last_uses = last_uses(self.steps)
        self.dtype, self.products = dtype, products
        self.weights = []
        for step in self.steps:
            float32 = step.values.get("float32", False)
            for name, value in step.values.items():
                if isinstance(value, np.ndarray):
                    step.values[name] = len(self.weights)
                    self.weights.append(jnp.asarray(value, "float32" if float32 else dtype))

    def __call__(self, weights: list[jax.Array], images: jax.Array) -> jax.Array:
        mean, std = (255 * np.asarray(each, "float32") for each in (IMAGENET_MEAN, IMAGENET_STD))
        maps = ((images.astype("float32") - mean) / std).astype(self.dtype)
        return run_steps(_Traced(self, weights), maps)


class _Traced:
    """The steps with the weights of one trace."""

    def __init__(self, network: PlainJax, weights: list[jax.Array]) -> None:
        self.steps, self.last_uses = network.steps, network.last_uses
        self._weights, self._products = weights, network.products

    def convolution(self, values, maps):
        kernel = self._weights[values["kernel"]]
        outputs = lax.conv_general_dilated(
            maps.astype(kernel.dtype),
            kernel,
            window_strides=(values["strides"],) * 2,
            padding=[(side, side) for side in values["padding"]],
            rhs_dilation=values["rates"],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return outputs if values["bias"] is None else outputs + self._weights[values["bias"]]

    def normalization(self, values, maps):
        return maps * self._weights[values["scale"]] + self._weights[values["offset"]]

    def relu(self, values, maps):
        return jax.nn.relu(maps)

    def resize(self, values, maps, like=None):
        if like is None:
            sides = [max(1, int(side * values["scale"])) for side in maps.shape[1:3]]
        else:
            sides = like.shape[1:3]
        resize = _resize_by_products if self._products else _resize_by_neighbours
        for axis, side in zip((1, 2), sides, strict=True):
            maps = resize(maps, axis, side)
        return maps

    def concatenate(self, values, *maps):
        return jnp.concatenate(maps, -1)

    def shift(self, values, maps):
        return maps[:, 1:, 1:]

    def max_pool(self, values, maps):
        window = (1, 2, 2, 1)
        return lax.reduce_window(
            maps, np.asarray(-np.inf, maps.dtype), lax.max, window, window, "VALID"
        )

    def average_pool(self, values, maps):
        batch, height, width, channels = maps.shape
        return maps.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))

    def bins(self, values, maps):
        rows, columns = (
            jnp.asarray(_averages(side, values["count"]), maps.dtype) for side in maps.shape[1:3]
        )
        return jnp.einsum("ah,nhwc,bw->nabc", rows, maps, columns)

    def residual(self, values, maps, inputs):
        missing = maps.shape[-1] - inputs.shape[-1]
        if missing > 0:
            return maps + jnp.pad(inputs, ((0, 0), (0, 0), (0, 0), (0, missing)))
        return maps + inputs[..., : maps.shape[-1]]


def _resize_by_products(maps, axis: int, side: int):
    matrix = jnp.asarray(interpolation_matrix(maps.shape[axis], side), maps.dtype)
    return jnp.moveaxis(jnp.tensordot(matrix, maps, (1, axis)), 0, axis)


def _resize_by_neighbours(maps, axis: int, side: int):
    positions = np.linspace(0, maps.shape[axis] - 1, side)
    below = np.floor(positions).astype("int32")
    above = np.minimum(below + 1, maps.shape[axis] - 1)
    share = np.expand_dims((positions - below).astype("float32"), [*range(1, maps.ndim - axis)])
    low, high = (jnp.take(maps, each, axis).astype("float32") for each in (below, above))
    return (low + share * (high - low)).astype(maps.dtype)


def _averages(side: int, count: int) -> np.ndarray:
    """Weights `(count, side)` of PyTorch's adaptive average pooling."""
    matrix = np.zeros((count, side), "float32")
    for index in range(count):
        first, end = index * side // count, -(-(index + 1) * side // count)
        matrix[index, first:end] = 1 / (end - first)
    return matrix
