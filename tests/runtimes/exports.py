"""Exports of the stand-in network, made once, and what every runner of them must do."""

import functools
import json
import pathlib
import tempfile

import numpy as np
import pytest

from keras_fasterseg.export.graph_file import export_graph_file
from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.runtimes.base import Runner
from tests.stand_in import (
    MEAN,
    NUM_CLASSES,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
    segmentation_network,
)

# Nothing that XLA resizes wrongly, see its runner.
SIZE = (96, 160)
ODD_SIZE = (70, 90)

# Runtimes add up float32 products in different orders; the logits are below 10, where the distance
# of two float32 numbers is at most 1e-6.
ATOL = 1e-5

_FOLDER = tempfile.TemporaryDirectory(prefix="exports.")


@functools.cache
def network():
    """The network of all exports."""
    return segmentation_network()


def export(
    format: str,
    outputs: str = "both",
    size: tuple[int, int] | None = SIZE,
    batch_size: int | None = 1,
) -> pathlib.Path:
    """The folder of an export; nobody may write to it. A SavedModel takes every size and number."""
    name = f"{format}_{outputs}_{size}_{batch_size}"
    path = pathlib.Path(_FOLDER.name) / name
    if path.exists():
        return path
    options = {"num_classes": NUM_CLASSES, "mean": MEAN, "std": STD}
    if format == "saved_model":
        return export_saved_model(network(), path, **options)
    return export_graph_file(
        network(),
        path,
        format=format,
        input_size=size,
        batch_size=batch_size,
        outputs=outputs,
        **options,
    )


def assert_equals_keras(runner: Runner, shape: tuple[int, int, int]) -> None:
    """`runner` answers with the class ids and logits that numpy and Keras give."""
    images = random_images(*shape)
    expected = expected_logits(network(), images)
    assert np.abs(expected).max() < 10.0
    logits = runner.logits(images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=ATOL)
    class_ids = runner(images)
    assert class_ids.dtype == np.uint8
    assert class_ids.shape == shape
    assert_same_classes(class_ids, expected)


def assert_results_are_their_own(runner: Runner, shape: tuple[int, int, int]) -> None:
    """A fetched result does not change when the runner runs again."""
    first = runner.logits(random_images(*shape))
    copy = first.copy()
    runner.logits(random_images(*shape, seed=1))
    np.testing.assert_array_equal(first, copy)


def assert_describes(runner: Runner, runtime: str) -> None:
    """`runner` says everything that a number depends on."""
    facts = runner.describe()
    assert facts["runtime"] == runtime
    assert facts["precision"] == "float32"
    assert facts["threads"] >= 1
    assert facts["version"]
    assert facts["device"]
    assert len(facts["artefact_sha256"]) == 64
    json.dumps(facts)


def assert_refuses_what_it_cannot_do(make, format: str) -> None:
    """Another size or number of images, an output that is not there."""
    runner = make(export(format))
    assert runner.input_size == SIZE
    assert runner.batch_size == 1
    assert runner.outputs == ("class_ids", "logits")
    runner.synchronize()
    with pytest.raises(ValueError, match=r"1x96x160. Received: 1x64x64"):
        runner(random_images(1, 64, 64))
    with pytest.raises(ValueError, match=r"1x96x160. Received: 2x96x160"):
        runner(random_images(2, *SIZE))
    runner = make(export(format, "class_ids"))
    assert runner.outputs == ("class_ids",)
    with pytest.raises(ValueError, match="--output=both"):
        runner.logits(random_images(1, *SIZE))


def assert_refuses_damaged_files(make, format: str, name: str, folder: pathlib.Path) -> None:
    """A file of the right name with other contents, and one that is missing."""
    damaged = folder / name
    damaged.write_bytes(b"not what was written")
    with pytest.raises(ValueError, match=r"cannot be loaded; export it again"):
        make(damaged).load()
    with pytest.raises(FileNotFoundError, match=r"exported network .* does not exist"):
        make(folder / f"missing{damaged.suffix}")
    other = "litert" if format == "onnx" else "onnx"
    with pytest.raises(ValueError, match=f"which is {other}; export the network for this runtime"):
        make(export(other))
    with pytest.raises(ValueError, match="threads=0"):
        make(export(format), threads=0)
