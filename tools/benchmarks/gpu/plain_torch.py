"""A network's plain steps in PyTorch, as a PyTorch user would write them."""

# pyright: reportMissingImports=false
# PyTorch is installed in a separate environment.
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.layers.resize import interpolation_matrix
from keras_fasterseg.spaces.network import SegmentationNetwork
from tools.benchmarks.gpu.plain_network import last_uses, plain_steps, run_steps


class PlainTorch(nn.Module):
    """Maps uint8 images `(batch, height, width, 3)` to uint8 class ids, or to logits.

    Args:
        network: The network, without auxiliary heads; its weights are copied.
        dtype: Precision of weights and feature maps; logits are float32.
        folded: Whether batch normalisation is folded into the convolutions.
        multiple: Number whose multiples the channels are padded to.
        channels_last: Memory layout of the feature maps.
        products: Whether to resize by products with interpolation matrices.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        dtype: torch.dtype = torch.float32,
        folded: bool = False,
        multiple: int = 1,
        channels_last: bool = False,
        products: bool = False,
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.steps = plain_steps(network, folded, multiple)
        self.last_uses = last_uses(self.steps)
        self.products = products
        self._matrices: dict[tuple[int, int, torch.dtype], torch.Tensor] = {}
        self.weights = nn.ParameterList()
        for step in self.steps:
            for name, value in step.values.items():
                if isinstance(value, np.ndarray):
                    step.values[name] = len(self.weights)
                    self.weights.append(self._parameter(value, step.values.get("float32", False)))
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def _parameter(self, value: np.ndarray, float32: bool) -> nn.Parameter:
        tensor = torch.tensor(value, dtype=torch.float32 if float32 else self.dtype)
        if value.ndim == 4:
            tensor = tensor.permute(3, 2, 0, 1).contiguous(memory_format=self.layout)
        return nn.Parameter(tensor, requires_grad=False)

    def logits(self, images):
        """Full-size logits `(batch, classes, height, width)`, float32."""
        maps = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        return run_steps(self, maps.to(self.dtype, memory_format=self.layout))

    def forward(self, images):
        return self.logits(images).argmax(1).to(torch.uint8)

    # === Steps ===

    def convolution(self, values, maps):
        weight = self.weights[values["kernel"]]
        bias = None if values["bias"] is None else self.weights[values["bias"]]
        settings = values["strides"], values["padding"], values["rates"]
        return functional.conv2d(maps.to(weight.dtype), weight, bias, *settings)

    def normalization(self, values, maps):
        scale, offset = self.weights[values["scale"]], self.weights[values["offset"]]
        mean, variance = torch.zeros_like(scale), torch.ones_like(scale)
        return functional.batch_norm(maps, mean, variance, scale, offset, eps=0.0)

    def relu(self, values, maps):
        return functional.relu(maps)

    def resize(self, values, maps, like=None):
        if like is None:
            sides = (max(1, int(side * values["scale"])) for side in maps.shape[2:])
        else:
            sides = like.shape[2:]
        size = tuple(sides)
        if self.products:
            return self._resize_by_products(maps, size)
        return functional.interpolate(maps, size, mode="bilinear", align_corners=True)

    def _resize_by_products(self, maps, size):
        rows, columns = (
            self._matrix(inputs, outputs, maps.dtype)
            for inputs, outputs in zip(maps.shape[2:], size, strict=True)
        )
        return torch.matmul(rows, torch.matmul(maps, columns.T))

    def _matrix(self, inputs: int, outputs: int, dtype: torch.dtype):
        key = inputs, outputs, dtype
        if key not in self._matrices:
            matrix = torch.tensor(interpolation_matrix(inputs, outputs), dtype=dtype)
            self._matrices[key] = matrix.to(self.mean.device)
        return self._matrices[key]

    def concatenate(self, values, *maps):
        return torch.cat(maps, 1)

    def shift(self, values, maps):
        return maps[:, :, 1:, 1:]

    def max_pool(self, values, maps):
        return functional.max_pool2d(maps, 2)

    def average_pool(self, values, maps):
        return functional.avg_pool2d(maps, 2)

    def bins(self, values, maps):
        return functional.adaptive_avg_pool2d(maps, values["count"])

    def residual(self, values, maps, inputs):
        missing = maps.shape[1] - inputs.shape[1]
        if missing > 0:
            return maps + functional.pad(inputs, (0, 0, 0, 0, 0, missing))
        return maps + inputs[:, : maps.shape[1]]
