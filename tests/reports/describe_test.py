"""Costs on paper against the network that is built."""

import json

import numpy as np
import pytest

from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.reports.describe import describe, description_tables
from keras_fasterseg.spaces.cost import predicted_latency_ms, serving_key
from keras_fasterseg.spaces.fasterseg.genotype import (
    SCALES,
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.released_table import load_released_table
from keras_fasterseg.spaces.fasterseg.stages import network_stages
from keras_fasterseg.spaces.registry import load_preset
from tests.shared import FIXTURES
from tests.spaces.fasterseg.released_costs import released_table

HALF = 6 / 12


def small_genotype(space="fasterseg"):
    """One branch to 1/16 with every kind of cell, an identity among them."""
    cells = (
        CellGenotype(0, 8, "conv_2x", 1, HALF),
        CellGenotype(1, 8, "conv_downup", 1, HALF),
        CellGenotype(2, 8, "skip", 2, HALF),
        CellGenotype(3, 16, "skip", 1, HALF),
        CellGenotype(4, 16, "conv_2x_downup", 1, HALF),
        CellGenotype(5, 16, "conv", 1, HALF),
    )
    return FasterSegGenotype(space, 2, 6, HALF, HALF, (BranchGenotype(16, cells),))


def table_of(keys, input_size, space="fasterseg"):
    """A table whose latencies are 1, 2, 3, ... ms."""
    rows = {
        key: LatencyRow(float(index), float(index), float(index), 1)
        for index, key in enumerate(dict.fromkeys(keys), start=1)
    }
    fingerprint = Fingerprint("device", "tensorflow", "1", "float32", None, 1)
    return LatencyTable(rows, TableMetadata(space, input_size, fingerprint))


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name", ["small", "fasterseg_student", "fasterseg_teacher"])
@pytest.mark.parametrize("num_classes", [3, 19])
def test_parameters_are_those_of_the_built_network(name, num_classes):
    genotype = small_genotype() if name == "small" else load_preset(name)
    network = FasterSegNetwork(genotype, num_classes, auxiliary_heads=True)
    description = describe(genotype, (64, 128), num_classes)
    assert description["parameters_training"] == trainable(network)
    assert description["parameters_inference"] == trainable(network.without_auxiliary_heads())


@pytest.mark.parametrize(
    ("name", "macs"), [("fasterseg_student", 27770486784), ("fasterseg_teacher", 107778932736)]
)
def test_published_operations_grow_with_the_image(name, macs):
    assert describe(load_preset(name), (1024, 2048))["macs"] == macs
    assert describe(load_preset(name), (512, 2048))["macs"] == macs // 2


def test_predicted_latency_of_the_published_student():
    table = load_released_table(FIXTURES / "latency_1080ti_trt5.json")
    description = describe(load_preset("fasterseg_student"), (1024, 2048), table=table)
    assert description["latency_ms_predicted"] == pytest.approx(5.701835681642834, rel=1e-12)
    assert description["latency_ms_sum"] == description["latency_ms_predicted"]
    assert description["fps_predicted"] == pytest.approx(1000 / 5.701835681642834, rel=1e-12)
    head = description["stages"][-3]
    assert head["name"] == "head"
    # 0.664515... ms of the released table over the sum.
    assert head["latency_share"] == head["latency_ms"] / description["latency_ms_sum"]
    assert head["latency_share"] == pytest.approx(0.117, abs=5e-4)


def test_as_the_released_code_charges_the_published_student_is_dearer():
    """Golden number: conv_2x_downup at the row of conv_2x."""
    table = released_table(reference_quirks=True)
    description = describe(load_preset("fasterseg_student"), (1024, 2048), table=table)
    assert description["latency_ms_predicted"] == pytest.approx(6.413977051133728, rel=1e-12)


def test_stages_of_a_small_network():
    description = json.loads(json.dumps(describe(small_genotype(), (64, 128), 3)))
    assert description["genotype"] == description["id"]
    assert description["branches"] == [SCALES.index(16)]
    rows = description["stages"]
    assert [row["operation"] for row in rows] == [
        *("conv_bn_relu_3x3", "conv_2x", "conv_2x"),
        *("conv_2x", "conv_downup", "skip", "identity", "conv_2x_downup", "conv"),
        *("conv_bn_relu_1x1", "conv_bn_relu_3x3", "fusion", "head", "head"),
    ]
    assert [row["training_only"] for row in rows] == [False] * 13 + [True]
    # 8 filters throughout: 3x3 kernels of 8x8 and 16 numbers of the norm.
    conv = rows[8]
    assert (conv["height"], conv["width"]) == (4, 8)
    assert conv["parameters"] == 9 * conv["in_filters"] * conv["out_filters"] + 2 * 16
    assert conv["macs"] == 9 * 16 * 16 * 4 * 8
    assert rows[6] == {
        "name": "branch_16_cell_03",
        "training_only": False,
        "operation": "identity",
        "parameters": 0,
        "macs": 0,
    }


def test_latency_of_every_stage_but_those_of_training():
    size = (64, 128)
    keys = [key for stage in network_stages(small_genotype(), size, 3) for key in stage.keys]
    table = table_of(keys[:-1], size)
    description = describe(small_genotype(), size, 3, table)
    latencies = [row["latency_ms"] for row in description["stages"][:-1]]
    expected = [table[key].latency_ms for key in keys[:-1]]
    assert latencies == [*expected[:6], 0.0, *expected[6:]]
    assert "latency_ms" not in description["stages"][-1]
    assert description["latency_ms_predicted"] == sum(expected)
    assert description["latency_ms_sum"] == sum(expected)
    assert [row["latency_share"] for row in description["stages"][:-1]] == [
        latency / sum(expected) for latency in latencies
    ]
    assert "latency_share" not in description["stages"][-1]


def serving_table(size, calibration=None):
    """A row for everything that is deployed, the last and dearest for what surrounds it."""
    stages = network_stages(small_genotype(), size, 3)
    keys = [key for stage in stages if not stage.training_only for key in stage.keys]
    return table_of([*keys, serving_key(size, 3)], size).calibrated(calibration)


def test_what_surrounds_the_network_is_a_stage_of_its_own():
    size = (64, 128)
    table = serving_table(size)
    description = describe(small_genotype(), size, 3, table)
    serving = description["stages"][-1]
    assert serving["name"] == serving["operation"] == "serving"
    assert serving["latency_ms"] == len(table)
    assert (serving["parameters"], serving["macs"]) == (0, 0)
    plain = describe(small_genotype(), size, 3)
    for total in ("parameters_training", "parameters_inference", "macs"):
        assert description[total] == plain[total]
    shares = [row["latency_share"] for row in description["stages"] if not row["training_only"]]
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    # Rows of 1 to n ms.
    assert description["latency_ms_sum"] == len(table) * (len(table) + 1) / 2
    assert description["latency_ms_sum"] == predicted_latency_ms(small_genotype(), table, 3)


def test_a_calibration_changes_the_prediction_but_no_row():
    size, calibration = (64, 128), Calibration(0.5, 3.0, 4)
    plain, table = serving_table(size), serving_table(size, calibration)
    description = describe(small_genotype(), size, 3, table)
    without = describe(small_genotype(), size, 3, plain)
    assert description["stages"] == without["stages"]
    assert description["latency_ms_sum"] == without["latency_ms_sum"]
    predicted = 0.5 * without["latency_ms_sum"] + 3.0
    assert description["latency_ms_predicted"] == predicted
    assert description["fps_predicted"] == 1000 / predicted
    assert predicted == predicted_latency_ms(small_genotype(), table, 3)
    assert "sum of the rows, ms" in description_tables(description)
    assert "sum of the rows, ms" not in description_tables(without)


def test_it_says_where_the_prediction_holds():
    size = (64, 128)
    description = describe(small_genotype(), size, 3, serving_table(size))
    assert description["latency_table"]["fingerprint"]["device"] == "device"
    lines = [line.split(maxsplit=2) for line in description_tables(description).splitlines()]
    (holds,) = (rest for *first, rest in filter(None, lines) if first == ["predicted", "for"])
    assert holds == ("tensorflow 1 on device, float32, default threads, harness version 1")


def test_the_most_expensive_stages_are_named_in_falling_order():
    size = (64, 128)
    description = describe(small_genotype(), size, 3, serving_table(size))
    (line,) = (
        line for line in description_tables(description).splitlines() if line.startswith("most exp")
    )
    # 13 rows of 1 to 13 ms make 91; the decoder's two operations are one stage of 9 + 10 ms.
    assert line.split(maxsplit=2)[2] == (
        "branch_16_fusion_8 20.9%, serving 14.3%, head 13.2%, fusion 12.1%, branch_16_cell_05 8.8%"
    )


def test_tables_for_people():
    text = description_tables(describe(small_genotype(), (64, 128), 3, name="mine"))
    assert "mine" in text
    assert "auxiliary_head_16 (training only)" in text
    assert "16 -> 16" in text
    assert "latency" not in text


@pytest.mark.parametrize(
    ("size", "num_classes", "message"),
    [
        ((64, 100), 3, "multiples of 32"),
        ((0, 64), 3, "multiples of 32"),
        ((64, 128), 0, "num_classes=0"),
    ],
)
def test_wrong_sizes(size, num_classes, message):
    with pytest.raises(ValueError, match=message):
        describe(small_genotype(), size, num_classes)


def test_tables_of_something_else():
    key = OpKey("conv", 8, 16, 8, 8, 1)
    with pytest.raises(ValueError, match="is for images of 32x64, not 64x128"):
        describe(small_genotype(), (64, 128), 3, table_of([key], (32, 64)))
    with pytest.raises(
        ValueError, match="for the search space 'gas', but the network is of 'fasterseg'"
    ):
        describe(small_genotype(), (64, 128), 3, table_of([key], (64, 128), "gas"))
    with pytest.raises(KeyError, match="no row conv_bn_relu_3x3:64x128"):
        describe(small_genotype(), (64, 128), 3, table_of([key], (64, 128)))
