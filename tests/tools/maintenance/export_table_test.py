"""The table of exports, of manifests written by hand."""

import pytest

from keras_fasterseg.files import write_json
from keras_fasterseg.runtimes.saved_model_format import joined_digest
from tests.tools.maintenance.markdown_rows import rows
from tools.maintenance.export_table import export_markdown

MANIFEST = {
    "format": "onnx",
    "precision": "int8",
    "input_size": [64, 96],
    "bytes": 3 * 2**19,
    "files": {"model.onnx": "abc"},
    "proof": {
        "images": 8,
        "of": "camvid val",
        "by": "onnxruntime",
        "equal_labels": 0.98765,
        "logits_difference": None,
        "miou": 0.4321,
        "miou_difference": -0.0012,
    },
}


def test_a_row_of_every_kind(tmp_path):
    write_json(tmp_path / "a" / "manifest.json", MANIFEST)
    drawn = {
        **MANIFEST["proof"],
        "of": "drawn street scenes",
        "logits_difference": 1.23e-5,
        "miou": None,
        "miou_difference": None,
    }
    saved_model = {
        **MANIFEST,
        "format": "saved_model",
        "precision": "float32",
        "input_size": None,
        "files": {"saved_model.pb": "def"},
        "proof": drawn,
    }
    write_json(tmp_path / "b" / "assets.extra" / "metadata.json", saved_model)
    measurement = {
        "times": {"p50_ms": 7.25},
        "environment": {},
        "scope": "network+argmax",
        "harness_version": 2,
        "input_size": [64, 96],
        "batch_size": 1,
        "fps": 138.0,
        "runner": {
            "runtime": "onnxruntime",
            "artefact_sha256": joined_digest(MANIFEST["files"]),
        },
    }
    write_json(tmp_path / "speed.json", measurement)
    text = export_markdown([tmp_path / "a", tmp_path / "b"], [tmp_path / "speed.json"])
    assert rows(text)[1:] == [
        [
            *("", "onnx", "int8", "64x96", "1.5", "98.765", "", "43.21", "-0.12"),
            "7.2 (onnxruntime)",
        ],
        ["", "saved_model", "float32", "any size", "1.5", "98.765", "1.2e-05", "", "", ""],
    ]
    assert "8 images of camvid val or 8 images of drawn street scenes" in text
    assert "did not run here" not in text


def test_an_engine_that_was_proven_by_its_onnx_says_so(tmp_path):
    proof = {**MANIFEST["proof"], "by": "onnxruntime, of the ONNX that the engine was built of"}
    write_json(tmp_path / "manifest.json", {**MANIFEST, "format": "tensorrt_rtx", "proof": proof})
    text = export_markdown([tmp_path])
    assert "tensorrt_rtx did not run on this machine; the proof is that of the ONNX" in text


def test_an_export_without_a_proof(tmp_path):
    write_json(tmp_path / "manifest.json", {"format": "onnx"})
    with pytest.raises(ValueError, match=r"has no proof\. Export the network"):
        export_markdown([tmp_path])
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        export_markdown([tmp_path / "gone"])
