import hashlib
import json
import re

import pytest

from keras_fasterseg.runtimes.artefact_format import (
    find_artefact,
    folder_of_part,
    is_artefact_folder,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.xml").write_bytes(b"graph")
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "openvino", "num_classes": 5}))
    return tmp_path


def test_a_folder_and_its_graph_are_one_artefact(folder):
    artefact = find_artefact(folder)
    assert artefact == find_artefact(folder / "model.xml")
    assert artefact.format == "openvino"
    assert artefact.path == folder / "model.xml"
    assert artefact.metadata["num_classes"] == 5
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in (("model.bin", b"weights"), ("model.xml", b"graph"))
    ]
    assert artefact.digest() == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_manifest_of_another_graph_is_not_taken(folder):
    (folder / "other.onnx").write_bytes(b"")
    assert find_artefact(folder / "other.onnx").metadata == {}
    (folder / "manifest.json").write_text(json.dumps({"format": "onnx"}))
    assert find_artefact(folder).metadata == {}


@pytest.mark.parametrize(
    ("name", "format"), [("model.plan", "tensorrt"), ("model.rtx", "tensorrt_rtx")]
)
def test_engines_of_both_flavours_are_told_apart(name, format, tmp_path):
    (tmp_path / name).write_bytes(b"engine")
    (tmp_path / "manifest.json").write_text(json.dumps({"format": format}))
    artefact = find_artefact(tmp_path)
    assert (artefact.format, artefact.path) == (format, tmp_path / name)
    assert artefact.metadata == {"format": format}


def test_a_saved_model_is_an_artefact_too(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    artefact = find_artefact(tmp_path)
    assert (artefact.format, artefact.path) == ("saved_model", tmp_path)
    before = artefact.digest()
    (tmp_path / "saved_model.pb").write_bytes(b"another")
    assert artefact.digest() != before
    assert is_artefact_folder(tmp_path)


@pytest.mark.parametrize(
    "part",
    [
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "assets.extra/metadata.json",
    ],
)
def test_a_part_of_a_saved_model_leads_to_its_folder(tmp_path, part):
    for name in ("saved_model.pb", part):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert folder_of_part(tmp_path / part) == tmp_path
    message = re.escape(
        f"{tmp_path / part} is part of the export {tmp_path}: pass the folder instead."
    )
    with pytest.raises(ValueError, match=message):
        find_artefact(tmp_path / part)


def test_what_only_lies_beside_an_export_is_no_part_of_it(folder):
    (folder / "network.keras").write_bytes(b"")
    assert folder_of_part(folder / "network.keras") is None
    assert folder_of_part(folder / "model.bin") == folder
    assert folder_of_part(folder / "manifest.json") == folder
    (folder / "variables").mkdir()
    (folder / "variables" / "genotype.json").write_bytes(b"")
    (folder / "model.xml").unlink()
    assert folder_of_part(folder / "variables" / "genotype.json") is None
    assert folder_of_part(folder / "manifest.json") is None


def test_what_is_none_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"exported network .*gone does not exist"):
        find_artefact(folder / "gone")
    (folder / "photo.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"photo.jpg is not an exported network.*\.onnx, \.xml"):
        find_artefact(folder / "photo.jpg")
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"pass the folder that holds saved_model.pb or one of"):
        find_artefact(folder / "empty")


def test_only_a_folder_with_our_manifest_is_ours(folder):
    assert is_artefact_folder(folder)
    (folder / "manifest.json").unlink()
    assert not is_artefact_folder(folder)
