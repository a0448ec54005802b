import hashlib

import pytest

from keras_fasterseg.files import write_json
from keras_fasterseg.runtimes.saved_model_format import (
    METADATA_FILE,
    artefact_digest,
    file_digests,
    is_saved_model,
    read_metadata,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "variables.index").write_bytes(b"")
    (tmp_path / "assets.extra" / "metadata.json").write_text('{"num_classes": 5}')
    return tmp_path


def test_every_file_but_the_metadata_has_its_digest(folder):
    assert file_digests(folder) == {
        "saved_model.pb": hashlib.sha256(b"graph").hexdigest(),
        "variables/variables.index": hashlib.sha256(b"").hexdigest(),
    }


def test_the_digest_of_the_whole_changes_with_any_file_but_the_metadata(folder):
    before = artefact_digest(folder)
    (folder / "assets.extra" / "metadata.json").write_text("{}")
    # What a server is to run first is not the network either.
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"records")
    assert artefact_digest(folder) == before
    (folder / "variables" / "variables.index").write_bytes(b"1")
    assert artefact_digest(folder) != before


def test_metadata_may_be_missing(folder):
    assert read_metadata(folder) == {"num_classes": 5}
    (folder / "assets.extra" / "metadata.json").unlink()
    assert read_metadata(folder) == {}
    (folder / "assets.extra" / "metadata.json").write_text("[]")
    with pytest.raises(ValueError, match=r"metadata\.json must hold a JSON object"):
        read_metadata(folder)


def test_a_saved_model_is_known_by_its_graph(folder):
    assert is_saved_model(folder)
    assert not is_saved_model(folder / "variables")
    assert not is_saved_model(folder / "missing")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_classes", 10**15),
        ("num_classes", "three"),
        ("class_names", ["a", 1]),
        ("class_names", ["only one"]),
        ("mean", [0.5, 0.5, 1e300]),
        ("std", "abc"),
        ("input_size", [10**15, 64]),
        ("batch_size", 1e3),
        ("batch_size", [1, 2, 3]),
    ],
)
def test_a_manifest_from_elsewhere_is_checked(tmp_path, name, value):
    facts = {
        "num_classes": 3,
        "class_names": ["a", "b", "c"],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
        "input_size": [64, 128],
        "batch_size": None,
    }
    write_json(tmp_path / METADATA_FILE, facts)
    assert read_metadata(tmp_path) == facts
    write_json(tmp_path / METADATA_FILE, facts | {name: value})
    with pytest.raises(ValueError, match=f"is not the manifest of an export .*: its {name} is "):
        read_metadata(tmp_path)
