"""Rebuilds the network of a genotype in PyTorch and exports it with PyTorch's ONNX exporter.

    KERAS_BACKEND=torch python -m tools.benchmarks.pytorch_export --genotype=fasterseg_student \\
        --input_size=512x1024 --target=runs/pytorch

Writes `network.keras`, for `tools.export`, and `model.onnx`, which has the same weights and the
same input and output as our own exports: `tools.benchmark --side_by_side` runs both.
`make bench-pytorch` runs all steps. The weights are random, which does not change the speed.
"""

# pyright: reportMissingImports=false
# PyTorch is installed in a separate environment.
from tools import command  # isort: skip

import pathlib

import keras
import numpy as np
from absl import flags

from flags import settings_flags
from keras_fasterseg.files import atomic_path
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.primitives import ConvPrimitive, FactorizedReduce
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.layers.upsample_fusion import UpsampleFusion
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.registry import resolve_genotype, space_of

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ModuleNotFoundError:
    raise SystemExit(
        "This tool needs PyTorch, which is not installed; `make bench-pytorch` installs it."
    ) from None

GENOTYPE = flags.DEFINE_string("genotype", "fasterseg_student", "A preset's name or a JSON file.")
INPUT_SIZE = settings_flags.define_size("input_size", (512, 1024), "Height x width of the images.")
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.")
TARGET = flags.DEFINE_string("target", None, "Folder to write.", required=True)
flags.adopt_module_key_flags(settings_flags)

# Largest difference of the logits, relative to the largest logit: float32 products are summed in
# another order.
TOLERANCE = 1e-4


def conv(kernel, strides: int = 1, bias=None) -> nn.Conv2d:
    """A convolution with Keras's kernel `(height, width, inputs, outputs)`."""
    weight = torch.tensor(np.transpose(np.asarray(kernel), (3, 2, 0, 1)).copy())
    outputs, inputs, side, _ = weight.shape
    layer = nn.Conv2d(inputs, outputs, side, strides, side // 2, bias=bias is not None)
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(torch.tensor(np.asarray(bias)))
    return layer


def batch_norm(layer) -> nn.BatchNorm2d:
    """Keras's batch normalisation in inference mode."""
    gamma, beta, mean, variance = (torch.tensor(each) for each in layer.get_weights())
    norm = nn.BatchNorm2d(len(gamma), eps=layer.epsilon)
    norm.weight, norm.bias = nn.Parameter(gamma), nn.Parameter(beta)
    norm.running_mean, norm.running_var = mean, variance
    return norm


def resize(maps, size):
    return functional.interpolate(maps, size, mode="bilinear", align_corners=True)


class Block(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, layer: ConvBatchNorm):
        kernel = layer.convolution.get_weights()[0]
        parts = [conv(kernel, layer.strides), batch_norm(layer.normalization)]
        super().__init__(*parts, *([nn.ReLU()] if layer.relu else []))


class Primitive(nn.Module):
    """One or two blocks, at full or at half resolution."""

    def __init__(self, layer: ConvPrimitive):
        super().__init__()
        self.blocks = nn.Sequential(*map(Block, layer.blocks))
        self.zoomed, self.resizes_back = layer.zoomed, layer.resizes_back

    def forward(self, maps):
        height, width = maps.shape[2:]
        outputs = resize(maps, (height // 2, width // 2)) if self.zoomed else maps
        outputs = self.blocks(outputs)
        return functional.relu(resize(outputs, (height, width))) if self.resizes_back else outputs


class Reduce(nn.Module):
    """Skip connection of stride 2."""

    def __init__(self, layer: FactorizedReduce):
        super().__init__()
        even, odd, *_ = layer.weights
        self.even, self.odd = (conv(kernel.detach(), 2) for kernel in (even.value, odd.value))
        self.norm = batch_norm(layer.normalization)

    def forward(self, maps):
        halves = [self.even(maps), self.odd(maps[:, :, 1:, 1:])]
        return functional.relu(self.norm(torch.cat(halves, 1)))


class Fusion(nn.Module):
    """Fusion step of the decoder."""

    def __init__(self, layer: UpsampleFusion):
        super().__init__()
        self.reduction, self.refinement = Block(layer.reduction), Block(layer.refinement)

    def forward(self, coarse, fine):
        coarse = resize(self.reduction(coarse), fine.shape[2:])
        return self.refinement(torch.cat([coarse, fine], 1))


def module_of(layer) -> nn.Module:
    """The PyTorch module of a Keras layer, with its weights."""
    if isinstance(layer, Stem):
        return nn.Sequential(*map(module_of, layer.stages))
    if isinstance(layer, Head):
        kernel, bias = layer.classifier.get_weights()
        return nn.Sequential(Block(layer.convolution), conv(kernel, bias=bias))
    kinds = {
        ConvBatchNorm: Block,
        ConvPrimitive: Primitive,
        FactorizedReduce: Reduce,
        UpsampleFusion: Fusion,
    }
    return next((make(layer) for kind, make in kinds.items() if isinstance(layer, kind)), None) or (
        nn.Identity()
    )


class Network(nn.Module):
    """Maps uint8 images `(batch, height, width, 3)` to uint8 class ids, or to logits."""

    def __init__(self, network: SegmentationNetwork):
        super().__init__()
        self.plan = network.plan
        names = [each.name for each in network.layers]
        self.parts = nn.ModuleDict({name: module_of(network.get_layer(name)) for name in names})
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def logits(self, images):
        maps = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        results = {self.plan.stem.layer: self.parts[self.plan.stem.layer](maps)}
        for cell in self.plan.cells:
            results[cell.name] = self.parts[cell.name](results[cell.source.layer])
        for steps in self.plan.joins:
            for join in steps:
                pair = (results[each.layer] for each in (join.coarse, join.fine))
                results[join.name] = self.parts[join.name](*pair)
        fused = torch.cat([results[each.layer] for each in self.plan.outputs], 1)
        return resize(self.parts["head"](self.parts["fusion"](fused)), images.shape[1:3])

    def forward(self, images):
        return self.logits(images).argmax(1).to(torch.uint8)


def main() -> None:
    keras.utils.set_random_seed(0)
    genotype = resolve_genotype(GENOTYPE.value)
    network = space_of(genotype).build(genotype, NUM_CLASSES.value)
    target = pathlib.Path(TARGET.value)
    with atomic_path(target / "network.keras") as path:
        network.save(path)
    module = Network(network).eval()
    images = torch.randint(0, 256, (1, *INPUT_SIZE.value, 3), dtype=torch.uint8)
    with torch.no_grad():
        normalised = (images.float() - module.mean.flatten()) / module.std.flatten()
        expected = network(normalised).cpu()
        received = module.logits(images).permute(0, 2, 3, 1)
    difference = float((received - expected).abs().max() / expected.abs().max())
    if difference > TOLERANCE:
        raise ValueError(
            f"PyTorch's network differs from the Keras network: logits differ by {difference:.1e}."
        )
    print(f"Logits differ from those of Keras by {difference:.1e} of the largest.")
    with atomic_path(target / "model.onnx") as path:
        torch.onnx.export(
            module,
            (images,),
            path,
            input_names=["images"],
            output_names=["class_ids"],
            dynamo=True,
            external_data=False,
        )
    print(f"Written: {target}/network.keras and {target}/model.onnx")


if __name__ == "__main__":
    command.run(main)
