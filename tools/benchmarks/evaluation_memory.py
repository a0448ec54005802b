"""Measures the memory of an evaluation, image by image.

It should not grow: an evaluation needs the logits of one batch at a time.

Evaluates the published student, with random weights, on random images and labels, as training does
after an epoch. Each line is the resident memory of the process after that many images.
"""

from tools import command  # isort: skip

import json
import os
import resource
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psutil
import tabulate
from absl import flags

from flags import settings_flags

if TYPE_CHECKING:
    from keras_fasterseg.runtimes.base import Runner

MEBIBYTE = 2**20
COUNTS = (1, 10, 50, 100)

IMAGES = flags.DEFINE_integer("images", 100, "Number of images to evaluate.", lower_bound=1)
IMAGE_SIZE = settings_flags.define_size("image_size", (1024, 2048), "Height x width of the images.")
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.", lower_bound=2)
RUNNER = flags.DEFINE_enum(
    "runner", "keras", ["keras", "saved_model"], "Evaluate the Keras model or its SavedModel."
)
JSON = flags.DEFINE_bool("json", False, "Print one JSON object and nothing else.")
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    result = measure(IMAGES.value, IMAGE_SIZE.value, NUM_CLASSES.value, RUNNER.value)
    if JSON.value:
        print(json.dumps(result, indent=2))
        return
    rows = [(f"after image {count}", f"{mib:.0f}") for count, mib in result["rss_mib"].items()]
    rows.append(("peak", f"{result['peak_rss_mib']:.0f}"))
    rows.append(("one image's logits", f"{result['logits_mib']:.0f}"))
    print(tabulate.tabulate(rows, headers=("", "resident MiB"), disable_numparse=True))


def measure(count: int, size: tuple[int, int], num_classes: int, runner: str) -> dict[str, Any]:
    """Resident memory in MiB: before the evaluation, after some of the images, and its peak."""
    # Imported here, so that errors in flags do not need TensorFlow.
    import keras
    import numpy as np

    from keras_fasterseg.available_cores import available_cores
    from keras_fasterseg.evaluation.evaluator import evaluate
    from keras_fasterseg.spaces.registry import load_preset, space_of

    keras.utils.set_random_seed(0)
    genotype = load_preset("fasterseg_student")
    network = space_of(genotype).build(genotype, num_classes)
    process = psutil.Process()
    reported = {1, count, *(each for each in COUNTS if each < count)}
    resident: dict[int, float] = {}

    def samples() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        generator = np.random.default_rng(0)
        for number in range(1, count + 1):
            images = generator.integers(0, 256, (1, *size, 3), np.uint8)
            yield images, generator.integers(0, num_classes, (1, *size), np.uint8)
            # Reached when the next image is requested: this one has been evaluated.
            if number in reported:
                resident[number] = process.memory_info().rss / MEBIBYTE

    with tempfile.TemporaryDirectory() as folder:
        model = _runner(runner, network, num_classes, folder)
        before = process.memory_info().rss / MEBIBYTE
        evaluate(model, samples(), num_classes, progress=not JSON.value)
    # Kilobytes on Linux. It lags behind by pages that threads have not reported yet, see proc(5):
    # larger values seen above take precedence.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "images": count,
        "image_size": list(size),
        "num_classes": num_classes,
        "runner": runner,
        "available_cores": available_cores().logical,
        "cpu_quota": available_cores().quota,
        "rss_before_mib": before,
        "rss_mib": resident,
        "peak_rss_mib": max(peak, *resident.values()),
        "logits_mib": 4 * size[0] * size[1] * num_classes / MEBIBYTE,
    }


def _runner(name: str, network, num_classes: int, folder: str) -> "Runner":
    from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
    from keras_fasterseg.runtimes.keras_runner import KerasRunner

    normalization: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    if name == "keras":
        return KerasRunner(network, **normalization)
    from keras_fasterseg.export.saved_model import export_saved_model
    from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner

    target = os.path.join(folder, "1")
    export_saved_model(network, target, num_classes=num_classes, **normalization)
    return SavedModelRunner(target)


if __name__ == "__main__":
    command.run(main)
