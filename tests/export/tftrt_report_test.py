import pytest
import tensorflow as tf

from keras_fasterseg.export.tftrt_report import TfTrtReport, tftrt_report


def graph(nodes, functions=None):
    """A `GraphDef` of nodes of these types; `TRTEngineOp:f` stands for the function `f`."""
    made = tf.compat.v1.GraphDef()
    for index, op in enumerate(nodes):
        add(made.node.add(), index, op)
    for name, inner in (functions or {}).items():
        function = made.library.function.add()
        function.signature.name = name
        for index, op in enumerate(inner):
            add(function.node_def.add(), index, op)
    return made


def add(node, index, op):
    node.op, _, segment = op.partition(":")
    node.name = f"node_{index}"
    if segment:
        node.attr["segment_func"].func.name = segment


def test_counts_what_computes_inside_engines_and_outside():
    report = tftrt_report(
        graph(
            ["Placeholder", "Cast", "Const", "TRTEngineOp:a", "TRTEngineOp:b", "Cast", "ArgMax"],
            {"a": ["Const", "Conv2D", "Relu", "Conv2D"], "b": ["Const", "Const", "Relu", "Pad"]},
        )
    )
    assert report == TfTrtReport(
        operators=8, converted=5, segments=2, left_out={"Cast": 2, "ArgMax": 1}
    )
    assert report.share == 5 / 8
    assert report.summary() == (
        "5 of 8 operators (62.5%) in 2 segments; left out: Cast 2, ArgMax 1"
    )
    assert report.to_json() == {
        "operators": 8,
        "converted": 5,
        "segments": 2,
        "left_out": {"Cast": 2, "ArgMax": 1},
        "share": 0.625,
    }
    assert list(report.to_json()["left_out"]) == ["Cast", "ArgMax"]


def test_functions_that_no_engine_replaces_are_left_out_too():
    report = tftrt_report(
        graph(["PartitionedCall"], {"body": ["TRTEngineOp:a", "NoOp", "Cast"], "a": ["Relu"]})
    )
    assert report == TfTrtReport(3, 1, 1, {"PartitionedCall": 1, "Cast": 1})


def test_a_graph_that_was_not_converted():
    report = tftrt_report(graph(["Placeholder", "Identity", "NoOp"]))
    assert report == TfTrtReport(0, 0, 0, {})
    assert report.share == 0.0
    assert tftrt_report(graph(["Relu"])).summary() == (
        "0 of 1 operators (0.0%) in 0 segments; left out: Relu 1"
    )
    everything = tftrt_report(graph(["TRTEngineOp:a"], {"a": ["Relu"]}))
    assert everything.summary() == "1 of 1 operators (100.0%) in 1 segment; left out: none"


def test_engines_without_their_functions_cannot_be_counted():
    with pytest.raises(ValueError, match="Missing: 'a'"):
        tftrt_report(graph(["TRTEngineOp:a"]))
