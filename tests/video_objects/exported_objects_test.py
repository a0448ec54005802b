"""Exports that are damaged or of another kind; equality is tested beside the export."""

import numpy as np
import onnx
import pytest

from keras_fasterseg.export.object_export import export_objects
from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.video_objects.exported_objects import open_exported_objects
from tests.stand_in import MEAN, NUM_CLASSES, STD, segmentation_network
from tests.video_objects.lively_network import SIZE, lively_network

SHAPES = {
    "scores": [1, 6],
    "boxes": [1, 6, 4],
    "masks": [1, 6, 28, 28],
    "embeddings": [1, 6, 64],
    "embedding_map": [1, 16, 24, 64],
    "foreground": [1, 8, 12],
}


def write_graph(path, size=(1, *SIZE, 3), kind=onnx.TensorProto.UINT8, **shapes):
    """An ONNX file whose outputs are zeros of these shapes."""
    shapes = {**SHAPES, **shapes}
    outputs = {
        name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
        if shape is not None
    }
    nodes = [
        onnx.helper.make_node(
            "Constant", [], [name], value=onnx.numpy_helper.from_array(np.zeros(shapes[name], "f"))
        )
        for name in outputs
    ]
    images = onnx.helper.make_tensor_value_info("images", kind, list(size))
    graph = onnx.helper.make_graph(nodes, "graph", [images], list(outputs.values()))
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def test_a_graph_with_these_inputs_and_outputs_is_accepted(tmp_path):
    runner = open_exported_objects(write_graph(tmp_path / "model.onnx"))
    assert runner.network_size == SIZE
    outputs = runner.infer(np.zeros((1, *SIZE, 3), np.uint8))
    assert {name: list(each.shape) for name, each in outputs.items()} == SHAPES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": (2, *SIZE, 3)}, "not an exported network of video object segmentation"),
        ({"size": (1, *SIZE, 4)}, "not an exported network of video object segmentation"),
        ({"kind": onnx.TensorProto.FLOAT}, "not an exported network of video object segmentation"),
        ({"masks": None}, "not an exported network of video object segmentation"),
        ({"size": (1, 2**20, 96, 3)}, "`input_size` must be height and width from 32 to 4096"),
        ({"scores": [1, 300]}, "`max_objects` must be 1 to 254"),
        ({"scores": []}, "`max_objects` must be"),
        ({"masks": [1, 3, 28, 28]}, r"its output masks has the shape \[1, 3, 28, 28\]"),
        ({"embeddings": [1, 6, 32]}, r"its output embeddings has the shape"),
        ({"embedding_map": [1, 8, 24, 64]}, r"its output embedding_map has the shape"),
        ({"foreground": [1, 8]}, r"its output foreground has the shape"),
    ],
)
def test_other_shapes_are_refused(change, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        open_exported_objects(write_graph(tmp_path / "model.onnx", **change))


def test_damaged_and_foreign_files(tmp_path):
    exported = export_objects(lively_network(), tmp_path / "onnx", "onnx")
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes((exported / "model.onnx").read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"cannot be loaded; export it again"):
        open_exported_objects(damaged)
    options = {"num_classes": NUM_CLASSES, "mean": MEAN, "std": STD}
    other = export_saved_model(segmentation_network(), tmp_path / "1", **options)
    with pytest.raises(ValueError, match="not an exported network of video object segmentation"):
        open_exported_objects(other)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_exported_objects(tmp_path / "missing")
