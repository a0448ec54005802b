"""Exports of networks of video object segmentation and their proofs."""

import dataclasses

import numpy as np
import pytest

from keras_fasterseg.jobs.export_video import (
    ObjectProof,
    check_object_proof,
    export_video,
    prove_objects,
)
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.video_objects.exported_objects import open_exported_objects
from keras_fasterseg.video_objects.generated_sequences import (
    GeneratedSequences,
    draw_sequence,
    generate,
)
from keras_fasterseg.video_objects.object_runner import KerasObjectRunner, ObjectRunner
from tests.video_objects.lively_network import SIZE, lively_network

GOOD = ObjectProof(3, "a clip", "onnxruntime", {"masks": 1e-6, "boxes": 2e-6}, 12, 1.0)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.keras"
    lively_network().save(path)
    return path


class DisturbedRunner(ObjectRunner):
    """Another runner whose masks are a little off."""

    def __init__(self, runner, change):
        self.network_size = runner.network_size
        self._runner, self._change = runner, change

    def infer(self, images):
        outputs = dict(self._runner.infer(images))
        return outputs | {"masks": outputs["masks"] + np.float32(self._change)}

    def describe(self):
        return self._runner.describe()


def test_the_manifest_holds_the_proof(file, tmp_path):
    settings = GeneratedSequences(num_train=1, num_val=1, frames=3, size=SIZE)
    davis = generate(tmp_path / "davis", settings, progress=False)
    proof = export_video(
        file, tmp_path / "onnx", ExportSettings("onnx"), davis, command="python -m tools.export"
    )
    assert (proof.frames, proof.by) == (3, "onnxruntime")
    assert proof.of.startswith("val_0000 of ")
    assert proof.proposals > 3
    assert proof.equal_ids == 1
    assert max(proof.largest_differences.values()) < 1e-4
    metadata = find_artefact(tmp_path / "onnx").metadata
    assert metadata["proof"] == proof.to_json()
    assert metadata["command"] == "python -m tools.export"
    assert "100.0000 % of the ids are equal" in proof.sentence()


def test_another_size_keeps_the_weights(file, tmp_path):
    settings = ExportSettings("saved_model", input_size=(96, 64), proof_images=3)
    proof = export_video(file, tmp_path / "1", settings)
    assert proof.of == "a generated sequence"
    assert open_exported_objects(tmp_path / "1").network_size == (96, 64)


def test_a_difference_is_found():
    network = lively_network()
    runner = KerasObjectRunner(network)
    frames, masks = draw_sequence(np.random.default_rng(0), SIZE, 3)
    disturbed = DisturbedRunner(runner, 0.01)
    proof = prove_objects(runner, disturbed, frames, masks[0], "a clip")
    assert proof.largest_differences["masks"] == pytest.approx(0.01, rel=1e-4)
    assert proof.largest_differences["boxes"] == proof.largest_differences["foreground"] == 0
    with pytest.raises(ValueError, match=r"the output masks differs by 0\.01; at most 0\.001"):
        check_object_proof(proof)


def test_nan_is_found():
    runner = KerasObjectRunner(lively_network())
    frames, masks = draw_sequence(np.random.default_rng(0), SIZE, 3)
    broken = DisturbedRunner(runner, float("nan"))
    proof = prove_objects(runner, broken, frames, masks[0], "a clip")
    assert np.isnan(proof.largest_differences["masks"])
    with pytest.raises(ValueError, match="the output masks differs by nan"):
        check_object_proof(proof)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"largest_differences": {"masks": float("nan")}}, "differs by nan"),
        ({"equal_ids": 0.99}, r"99\.000 % of the ids .* are equal, but at least 99\.9 %"),
    ],
)
def test_a_bad_proof_is_refused(change, words):
    check_object_proof(GOOD)
    with pytest.raises(ValueError, match=words):
        check_object_proof(dataclasses.replace(GOOD, **change))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ExportSettings("litert"), "exported to saved_model or onnx in fp32"),
        (ExportSettings("onnx", precision="fp16"), "set only --format"),
        (ExportSettings("onnx", input_size=(100, 64)), "must be multiples of 32"),
    ],
)
def test_unsupported_settings(settings, words, file, tmp_path):
    with pytest.raises(ValueError, match=words):
        export_video(file, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()
