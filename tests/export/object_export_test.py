"""Exports of networks of video object segmentation, against Keras."""

import numpy as np
import pytest

from keras_fasterseg.export.object_export import FORMATS, export_objects
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.video_objects.exported_objects import open_exported_objects
from keras_fasterseg.video_objects.object_runner import OUTPUTS, KerasObjectRunner
from tests.video_objects.lively_network import SIZE, lively_network

# Another order of float32 sums; seen: 2e-5 in boxes of up to 300 pixels, 6e-6 elsewhere.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def network():
    return lively_network()


@pytest.fixture(scope="module")
def exports(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    return {
        format: export_objects(network, folder / format, format, metadata={"note": "kept"})
        for format in FORMATS
    }


@pytest.mark.parametrize("format", FORMATS)
def test_outputs_equal_those_of_keras(format, exports, network):
    runner, keras_runner = open_exported_objects(exports[format]), KerasObjectRunner(network)
    assert runner.network_size == SIZE
    rng = np.random.default_rng(0)
    for _ in range(3):
        images = rng.integers(0, 256, (1, *SIZE, 3), np.uint8)
        expected, received = keras_runner.infer(images), runner.infer(images)
        assert {*received} == {*OUTPUTS}
        for name in OUTPUTS:
            assert received[name].dtype == np.float32
            np.testing.assert_allclose(
                received[name], expected[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
            )


@pytest.mark.parametrize("format", FORMATS)
def test_the_manifest_describes_the_network(format, exports, network):
    artefact = find_artefact(exports[format])
    metadata = artefact.metadata
    assert (metadata["task"], metadata["format"]) == ("video_objects", format)
    assert metadata["input_size"] == list(SIZE)
    assert metadata["genotype"] == network.genotype.to_json()
    assert (metadata["note"], metadata["max_objects"]) == ("kept", 6)
    assert metadata["bytes"] > 10_000
    described = open_exported_objects(exports[format]).describe()
    assert described["artefact_sha256"] == artefact.digest()
    assert described["precision"] == "float32"


def test_an_export_is_not_overwritten_unasked(exports, network):
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        export_objects(network, exports["onnx"], "onnx")
    with pytest.raises(ValueError, match="saved_model or onnx"):
        export_objects(network, exports["onnx"] / "other", "litert")


def test_metadata_must_not_replace_facts(network, tmp_path):
    with pytest.raises(ValueError, match="names reserved for the export"):
        export_objects(network, tmp_path / "1", metadata={"task": "segmentation"})
    assert not (tmp_path / "1").exists()
