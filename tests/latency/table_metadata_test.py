import dataclasses

import pytest

from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata

FINGERPRINT = Fingerprint("a device", "tensorflow", "2.21.0", "float32", 2, 1)
METADATA = TableMetadata("fasterseg", (1024, 2048), FINGERPRINT)


@pytest.mark.parametrize(("threads", "quota"), [(None, None), (4, 2.5)])
def test_json_round_trip(threads, quota):
    fingerprint = dataclasses.replace(FINGERPRINT, threads=threads, cpu_quota=quota)
    metadata = dataclasses.replace(METADATA, fingerprint=fingerprint)
    assert TableMetadata.from_json(metadata.to_json()) == metadata


def test_a_header_of_an_earlier_version_has_no_quota():
    value = METADATA.to_json()
    del value["fingerprint"]["cpu_quota"]
    assert TableMetadata.from_json(value) == METADATA
    del value["fingerprint"]["device"]
    with pytest.raises(ValueError, match="`fingerprint` lacks device"):
        TableMetadata.from_json(value)


def test_a_fingerprint_in_words():
    assert str(FINGERPRINT) == (
        "tensorflow 2.21.0 on a device, float32, 2 threads, harness version 1"
    )
    limited = dataclasses.replace(FINGERPRINT, threads=1, cpu_quota=1.5, harness_version=0)
    assert str(limited) == (
        "tensorflow 2.21.0 on a device, float32, 1 thread, a CPU quota of 1.5, measured by others"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": ""}, "device=''"),
        ({"precision": 32}, "precision=32"),
        ({"threads": 0}, "threads=0"),
        ({"harness_version": -1}, "harness_version=-1"),
        ({"harness_version": "1"}, "harness_version='1'"),
        ({"cpu_quota": 0}, "positive number of cores or None. Received: 0"),
        ({"cpu_quota": float("nan")}, "Received: nan"),
    ],
)
def test_impossible_fingerprints_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FINGERPRINT, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": ""}, "space=''"),
        ({"input_size": (1024,)}, r"input_size=\(1024,\)"),
        ({"input_size": (1024, 0)}, "input_size=0"),
        ({"schema_version": 3}, "schema_version=3"),
    ],
)
def test_impossible_metadata_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(METADATA, **changes)


def test_missing_and_unknown_fields_are_named():
    value = METADATA.to_json()
    without_size = {name: value[name] for name in value if name != "input_size"}
    with pytest.raises(ValueError, match="`metadata` lacks input_size"):
        TableMetadata.from_json(without_size)
    with pytest.raises(ValueError, match="`metadata` has unknown fields colour"):
        TableMetadata.from_json({**value, "colour": "blue"})
    with pytest.raises(ValueError, match="`fingerprint` must be an object"):
        TableMetadata.from_json({**value, "fingerprint": "mine"})
