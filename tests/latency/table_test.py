import dataclasses
import json
import math

import pytest

from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from tests.latency.interpolated_operation import conv

METADATA = TableMetadata(
    "fasterseg", (512, 1024), Fingerprint("a device", "tensorflow", "2.21.0", "float32", None, 1)
)
CONV = OpKey("conv", 64, 128, 32, 48, 1)
HEAD = OpKey("head", 64, 128, 64, 19, 1)
ABSENT = OpKey("conv_2x", 64, 128, 32, 64, 2)
ROWS = {CONV: LatencyRow(0.5, 0.25, 0.75, 50), HEAD: LatencyRow(2, 1, 4, 7)}
TABLE = LatencyTable(ROWS, METADATA)
CALIBRATION = Calibration(1.25, 0.5, 12)


def test_it_is_a_mapping():
    assert TABLE[CONV].latency_ms == 0.5
    assert dict(TABLE) == ROWS
    assert len(TABLE) == 2
    assert CONV in TABLE
    assert ABSENT not in TABLE
    assert TABLE.get(ABSENT) is None


def test_rows_handed_in_are_copied():
    rows = dict(ROWS)
    table = LatencyTable(rows, METADATA)
    rows.clear()
    assert len(table) == 2


def test_tables_of_two_devices_are_not_equal():
    fingerprint = dataclasses.replace(METADATA.fingerprint, device="another")
    other = LatencyTable(ROWS, dataclasses.replace(METADATA, fingerprint=fingerprint))
    assert other != TABLE
    assert LatencyTable(ROWS, METADATA) == TABLE


def test_a_missing_row_names_the_key_and_the_command_that_measures_it():
    with pytest.raises(KeyError) as caught:
        TABLE[ABSENT]
    message = caught.value.args[0]
    assert "conv_2x:64x128:32->64/2" in message
    assert "python -m tools.measure_latency --workdir=ANOTHER --input_size=512x1024" in message
    assert "a device" in message


def test_missing_lists_each_absent_key_once_in_order():
    other = OpKey("skip", 64, 128, 32, 48, 1)
    assert TABLE.missing([ABSENT, CONV, other, ABSENT]) == (ABSENT, other)


INTERPOLATED = LatencyTable(
    {
        conv(16, 16): LatencyRow(1.0, 0.5, 3.0, 10),
        conv(16, 32): LatencyRow(2.0, 1.5, 5.0, 20),
        conv(16, 28): LatencyRow(9.0, 9.0, 9.0, 30),
    },
    METADATA,
)


def test_rows_off_the_grid_are_interpolated_even_if_they_are_measured():
    assert INTERPOLATED[conv(16, 20)] == LatencyRow(1.25, 0.75, 3.5, 0)
    assert INTERPOLATED[conv(16, 28)] == LatencyRow(1.75, 1.25, 4.5, 0)
    assert INTERPOLATED.measured[conv(16, 28)] == LatencyRow(9.0, 9.0, 9.0, 30)
    assert INTERPOLATED.get(conv(16, 24)) == LatencyRow(1.5, 1.0, 4.0, 0)
    assert INTERPOLATED.predicted_ms([conv(16, 20), conv(16, 24), conv(16, 16)]) == 3.75
    assert conv(16, 20) in INTERPOLATED
    assert "conv" not in INTERPOLATED


def test_only_measured_rows_are_counted_listed_and_saved(tmp_path):
    assert len(INTERPOLATED) == 3
    assert list(INTERPOLATED) == [conv(16, 16), conv(16, 32), conv(16, 28)]
    assert INTERPOLATED.missing([conv(16, 16), conv(16, 20)]) == (conv(16, 20),)
    INTERPOLATED.save(tmp_path / "table.json")
    assert LatencyTable.load(tmp_path / "table.json") == INTERPOLATED


def test_the_row_to_measure_is_named_if_it_cannot_be_interpolated():
    key = conv(16, 36)
    assert key not in INTERPOLATED
    with pytest.raises(KeyError, match=f"has no row {conv(16, 48)}"):
        INTERPOLATED[key]


def test_json_round_trip(tmp_path):
    path = tmp_path / "folder" / "table.json"
    TABLE.save(path)
    loaded = LatencyTable.load(path)
    assert loaded == TABLE
    assert dict(loaded) == ROWS
    assert list(loaded) == [CONV, HEAD]
    assert loaded.metadata == METADATA
    assert json.loads(path.read_text())["rows"]["conv:64x128:32->48/1"]["p90_ms"] == 0.75


def test_a_calibration_survives_the_file_and_none_stays_none(tmp_path):
    path = tmp_path / "table.json"
    for table in (TABLE, TABLE.calibrated(CALIBRATION)):
        table.save(path)
        assert LatencyTable.load(path) == table
        assert LatencyTable.load(path).calibration == table.calibration


def test_a_prediction_is_the_sum_of_rows_by_the_calibration():
    keys = [CONV, HEAD, CONV]
    assert TABLE.predicted_ms(keys) == 3.0
    assert TABLE.predicted_ms(iter(keys)) == 3.0
    calibrated = TABLE.calibrated(CALIBRATION)
    assert calibrated.predicted_ms(keys) == 1.25 * 3.0 + 0.5
    assert calibrated.calibrated(None).predicted_ms(keys) == 3.0
    with pytest.raises(KeyError, match="conv_2x:64x128"):
        calibrated.predicted_ms([ABSENT])


def test_another_calibration_is_another_table_of_the_same_rows():
    calibrated = TABLE.calibrated(CALIBRATION)
    assert calibrated != TABLE
    assert TABLE.calibration is None
    assert dict(calibrated) == ROWS
    assert calibrated.metadata == METADATA
    assert calibrated.calibrated(None) == TABLE


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"table\.json"):
        LatencyTable.load(tmp_path / "table.json")


def test_a_truncated_file_is_refused_by_name(tmp_path):
    path = tmp_path / "table.json"
    TABLE.save(path)
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"table\.json cannot be read as a latency table"):
            LatencyTable.load(path)


def _edited(**changes):
    value = {
        "metadata": METADATA.to_json(),
        "calibration": None,
        "rows": {str(CONV): {"latency_ms": 1.0, "p10_ms": 1.0, "p90_ms": 1.0, "repetitions": 1}},
    }
    return {**value, **changes}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "not an object with `metadata`, `calibration` and `rows`"),
        ({"table": {}}, "not an object with `metadata`, `calibration` and `rows`"),
        (_edited(rows=[]), "`rows` must be an object"),
        (_edited(calibration={"factor": 1.0}), "`calibration` lacks networks, offset_ms"),
        (_edited(calibration=[]), "`calibration` must be an object"),
        (
            _edited(calibration={"factor": 0, "offset_ms": 0, "networks": 3}),
            "positive factor and an offset of at least 0",
        ),
        (_edited(metadata={}), "`metadata` lacks fingerprint"),
        (_edited(rows={"conv": _edited()["rows"][str(CONV)]}), "Received: 'conv'"),
        (_edited(rows={str(CONV): {"latency_ms": 1.0}}), "lacks p10_ms, p90_ms, repetitions"),
        (_edited(rows={str(CONV): 1.0}), "must be an object"),
    ],
)
def test_a_foreign_file_is_refused_with_its_fault(tmp_path, value, message):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=message) as caught:
        LatencyTable.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0.0, 0.0, 0.0, 1), "latency_ms=0.0"),
        ((-1.0, 1.0, 1.0, 1), "latency_ms=-1.0"),
        ((float("nan"), 1.0, 1.0, 1), "latency_ms=nan"),
        ((float("inf"), 1.0, 1.0, 1), "latency_ms=inf"),
        (("1", 1.0, 1.0, 1), "latency_ms='1'"),
        ((1.0, 2.0, 3.0, 1), "p10_ms=2.0"),
        ((1.0, 0.5, 0.9, 1), "p90_ms=0.9"),
        ((1.0, 1.0, 1.0, -1), "-1"),
        ((1.0, 1.0, 1.0, 2.5), r"2\.5"),
    ],
)
def test_impossible_rows_are_refused(row, message):
    with pytest.raises(ValueError, match=message):
        LatencyRow(*row)


@pytest.mark.parametrize(
    "value", [10**400, pytest.param(10**5000, id="huge"), math.nan, math.inf, 1e10, "1", True, None]
)
@pytest.mark.parametrize("field", ["latency_ms", "p10_ms", "p90_ms"])
def test_latencies_are_numbers_that_sums_have_room_for(field, value):
    row = {"latency_ms": 1.0, "p10_ms": 1.0, "p90_ms": 1.0, "repetitions": 1} | {field: value}
    with pytest.raises(ValueError, match=f"`{field}` must be a finite number of milliseconds"):
        LatencyRow(**row)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.25", "NaN", "it contains NaN"),
        ("1.25", "1" + 400 * "0", "has 401 digits"),
        ("0.75", "1e400", "its number 1e400"),
        ("50", str(10**15), "`repetitions` must be a whole number from 0 to 2147483647"),
        ("1024", str(10**15), "`input_size` must be a whole number from 1 to 65536"),
        ("64x128", "1" * 400 + "x128", "A key of a latency table has the form"),
    ],
)
def test_a_hostile_file_is_named_in_a_sentence(tmp_path, old, new, message):
    path = tmp_path / "table.json"
    LatencyTable(ROWS, METADATA, CALIBRATION).save(path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=r"table\.json cannot be read as a latency") as caught:
        LatencyTable.load(path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500
