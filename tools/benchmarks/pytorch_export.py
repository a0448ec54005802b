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
from absl import flags

from flags import settings_flags
from keras_fasterseg.files import atomic_path
from keras_fasterseg.spaces.registry import resolve_genotype, space_of

try:
    import torch
except ModuleNotFoundError:
    raise SystemExit(
        "This tool needs PyTorch, which is not installed; `make bench-pytorch` installs it."
    ) from None

from tools.benchmarks.gpu.plain_torch import PlainTorch

GENOTYPE = flags.DEFINE_string("genotype", "fasterseg_student", "A preset's name or a JSON file.")
INPUT_SIZE = settings_flags.define_size("input_size", (512, 1024), "Height x width of the images.")
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.")
HALF = flags.DEFINE_bool("half", False, "Export weights and feature maps in float16.")
TARGET = flags.DEFINE_string("target", None, "Folder to write.", required=True)
flags.adopt_module_key_flags(settings_flags)

# Largest difference of the logits, relative to the largest logit: float32 products are summed in
# another order.
TOLERANCE = 1e-4


def main() -> None:
    keras.utils.set_random_seed(0)
    genotype = resolve_genotype(GENOTYPE.value)
    with keras.device("cpu"):
        network = space_of(genotype).build(genotype, NUM_CLASSES.value)
    target = pathlib.Path(TARGET.value)
    with atomic_path(target / "network.keras") as path:
        network.save(path)
    module = PlainTorch(network).eval()
    images = torch.randint(0, 256, (1, *INPUT_SIZE.value, 3), dtype=torch.uint8)
    with torch.no_grad(), keras.device("cpu"):
        normalised = (images.float() - module.mean.flatten()) / module.std.flatten()
        expected = network(normalised)
        received = module.logits(images).permute(0, 2, 3, 1)
    difference = float((received - expected).abs().max() / expected.abs().max())
    if difference > TOLERANCE:
        raise ValueError(
            f"PyTorch's network differs from the Keras network: logits differ by {difference:.1e}."
        )
    print(f"Logits differ from those of Keras by {difference:.1e} of the largest.")
    with atomic_path(target / "model.onnx") as path:
        torch.onnx.export(
            PlainTorch(network, torch.float16).eval() if HALF.value else module,
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
