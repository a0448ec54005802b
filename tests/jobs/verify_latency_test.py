import dataclasses

import pytest
from PIL import Image

from keras_fasterseg.benchmark.statistics import TimeStatistics
from keras_fasterseg.files import read_json
from keras_fasterseg.jobs import verify_latency as job
from keras_fasterseg.jobs.measure_latency import calibration_networks
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.cost import predicted_latency_ms
from tests.run.latency_rows import random_table
from tests.search.tiny_space import NUM_CLASSES, SPACE

TABLE = random_table(SPACE, (64, 128), NUM_CLASSES)


@pytest.fixture
def device(monkeypatch):
    """Every network takes 2 ms more than the sum of its rows."""

    def measure(genotypes, table, num_classes, progress):
        plain = table.calibrated(None)
        sums = [predicted_latency_ms(each, plain, num_classes) for each in genotypes]
        return [TimeStatistics.from_seconds([(sum_ms + 2) / 1e3]) for sum_ms in sums]

    monkeypatch.setattr(job, "measure_networks", measure)


def verify(folder, table=TABLE, networks=5):
    return job.verify_latency(folder, table, SPACE, NUM_CLASSES, networks, progress=False)


def test_sums_are_compared_with_what_is_measured(tmp_path, device):
    result = verify(tmp_path)
    assert result == read_json(tmp_path / "verification.json")
    assert "calibrated" not in result
    assert result["sum"]["spearman"] == pytest.approx(1.0)
    errors = sorted(2 / record["measured_ms"] for record in result["networks"])
    assert result["sum"]["median_relative_error"] == pytest.approx(errors[2])
    assert result["sum"]["worst_relative_error"] == pytest.approx(errors[4])
    assert [record["predicted_ms"] for record in result["networks"]] == [
        record["sum_ms"] for record in result["networks"]
    ]
    with Image.open(tmp_path / "verification.png") as picture:
        assert min(picture.size) > 400


def test_a_calibration_is_fitted_anew_and_judged_beside_the_sums(tmp_path, device):
    result = verify(tmp_path, TABLE.calibrated(Calibration(3.0, 0.0, 4)))
    assert result["calibration"] == {
        "factor": pytest.approx(1.0),
        "offset_ms": pytest.approx(2.0),
        "networks": 4,
    }
    assert len(result["networks"]) == 5
    assert result["calibrated"]["worst_relative_error"] == pytest.approx(0.0, abs=1e-9)
    assert result["sum"]["worst_relative_error"] > 0.1


def test_the_networks_are_others_than_those_of_the_calibration(tmp_path, device):
    fitted = {each.id for each in calibration_networks(SPACE, 20)}
    result = verify(tmp_path, TABLE.calibrated(Calibration(1.0, 2.0, 20)), networks=20)
    assert not fitted & {record["id"] for record in result["networks"]}


def test_too_few_networks(tmp_path, device):
    with pytest.raises(ValueError, match=r"at least three networks\. Received: 2"):
        verify(tmp_path, networks=2)
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_another_device_is_not_judged_here(tmp_path, device):
    fingerprint = dataclasses.replace(TABLE.metadata.fingerprint, device="NVIDIA H100")
    metadata = dataclasses.replace(TABLE.metadata, fingerprint=fingerprint)
    with pytest.raises(ValueError, match=r"NVIDIA H100.*, but networks would be measured on"):
        verify(tmp_path, LatencyTable(dict(TABLE), metadata))
    assert list(tmp_path.iterdir()) == []
