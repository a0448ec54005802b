"""Networks that PyTorch's own exporter writes answer as in Keras."""

import keras
import numpy as np
import onnx
import pytest

from keras_fasterseg.jobs.export import export
from keras_fasterseg.run.artefacts import open_artefact
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.runtimes.conversion.torch_onnx import OPSET
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.settings.export import ExportSettings
from tests.conformance.spaces import genotypes, tiny_space
from tests.stand_in import MEAN, STD, assert_same_classes, expected_logits, random_images

SIZE, CLASSES = (70, 96), 5


def exported(name, folder, format="onnx", **changes):
    """A network of the search space `name` and the folder of its export, which is proven."""
    keras.utils.set_random_seed(0)
    space = tiny_space(name)
    network = space.build(genotypes(space)[0], CLASSES, mean=MEAN, std=STD)
    network.save(folder / "network.keras")
    options = {"input_size": SIZE, "output": "both", "proof_images": 2, **changes}
    settings = ExportSettings(format, **options)
    export(folder / "network.keras", folder / format, settings, progress=False)
    return network, folder / format


@pytest.mark.parametrize(
    ("format", "runtime", "batch_size"),
    [("onnx", "onnxruntime", 0), ("onnx", "onnxruntime", 1), ("openvino", "openvino", 1)],
)
@pytest.mark.parametrize("name", ["fasterseg", "joint", "gas", "autortnet"])
def test_an_export_answers_as_keras(tmp_path, name, format, runtime, batch_size):
    network, path = exported(name, tmp_path, format, batch_size=batch_size)
    runner = open_artefact(path, runtime)
    assert runner.batch_size == (batch_size or None)
    images = random_images(batch_size or 3, *SIZE)
    expected = expected_logits(network, images)
    # float32 sums in another order.
    np.testing.assert_allclose(
        runner.logits(images), expected, rtol=0, atol=5e-6 * np.abs(expected).max()
    )
    assert_same_classes(runner(images), expected)


def test_the_manifest_and_the_file_name_versions_and_opset(tmp_path):
    _, path = exported("fasterseg", tmp_path, batch_size=1)
    metadata = find_artefact(path).metadata
    assert {"keras", "torch", "onnxscript", "onnx"} <= set(metadata["versions"])
    (opset,) = {each.version for each in onnx.load(path / "model.onnx").opset_import}
    assert metadata["opset"] == opset == OPSET


def test_half_precision(tmp_path):
    network, path = exported("fasterseg", tmp_path, batch_size=1, precision="fp16")
    images = random_images(1, *SIZE)
    expected = expected_logits(network, images)
    runner = open_artefact(path, "onnxruntime")
    # Half precision has 11 bits.
    np.testing.assert_allclose(
        runner.logits(images), expected, rtol=0, atol=4 * 2**-11 * np.abs(expected).max()
    )


def test_free_sizes_and_other_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match="an export has a fixed image size: set --input_size"):
        exported("fasterseg", tmp_path, input_size=None)
    for format in ("saved_model", "litert", "tensorrt"):
        message = f"^Exporting to {format} needs TensorFlow: pip install"
        with pytest.raises(RuntimeNotInstalledError, match=message):
            export(tmp_path / "network.keras", tmp_path / "1", ExportSettings(format))
