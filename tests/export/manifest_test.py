import importlib.metadata

import pytest

from keras_fasterseg.export.manifest import check_target, manifest
from keras_fasterseg.runtimes.serving_graph import ServingGraph
from tests.stand_in import MEAN, STD, segmentation_network


def test_holds_what_the_format_and_the_caller_add():
    facts = manifest(
        ServingGraph(segmentation_network(), mean=MEAN, std=STD),
        num_classes=5,
        class_names=None,
        of_format={"format": "onnx"},
        metadata={"seed": 3},
        packages=("absl-py",),
    )
    assert facts["format"] == "onnx"
    assert facts["seed"] == 3
    assert facts["class_names"] is None
    assert facts["colors"] is None
    assert facts["versions"]["absl-py"] == importlib.metadata.version("absl-py")


def test_only_exports_may_be_replaced(tmp_path):
    check_target(tmp_path / "new", overwrite=False)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    check_target(tmp_path, overwrite=True)
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        check_target(tmp_path, overwrite=False)
    (tmp_path / "saved_model.pb").rename(tmp_path / "model.onnx")
    with pytest.raises(FileExistsError, match="is not overwritten"):
        check_target(tmp_path, overwrite=True)
