from keras_fasterseg.benchmark.comparison import read_measurements
from keras_fasterseg.benchmark.harness import InterleavedResult
from keras_fasterseg.benchmark.report import BenchmarkReport, report_text
from keras_fasterseg.files import read_json
from tests.benchmark.measurements import result

QUICK = {"macs": 2_000_000_000, "peak_macs_per_second": 1e12, "memory_peak_mib": 700.4}


def pair(speedup=2.0, interval=(1.9, 2.1)):
    """Two runtimes at one size."""
    results = {"keras": result(10.0), "onnxruntime": result(5.0, memory_before_mib=500.0, **QUICK)}
    return InterleavedResult(
        results,
        {"keras": 1.0, "onnxruntime": speedup},
        {"keras": (1.0, 1.0), "onnxruntime": interval},
    )


def single(**fields):
    return InterleavedResult({"keras": result(**fields)}, {"keras": 1.0}, {"keras": None})


def test_a_single_measurement_is_told_line_by_line():
    text = report_text(
        BenchmarkReport((single(p50_ms=5.0, memory_before_mib=500.2, memory_gpu_mib=9, **QUICK),))
    )
    assert "p50 5.000 ms, p90 6.000 ms, p99 7.000 ms, trimmed mean 5.000 ms" in text
    assert "FPS 200.0 at the median" in text
    # 2 G multiply-accumulates in 5 ms are 400 G a second.
    assert "2.000 G per image, 400.0 G per second, 40.0 % of the 1000.0 G" in text
    assert "700 MiB peak in a separate process, of which 500 MiB before" in text
    assert "GPU memory: 9 MiB" in text
    assert (
        "Measured: network+argmax, uint8 images in host memory to class ids in host memory; "
        "batch 1 of 64x128; 8 calls after 3 untimed ones; images: random bytes; harness version 3"
    ) in text
    assert "Runner: runtime keras, version 1, precision float32, threads 2, device CPU" in text
    assert text.splitlines()[-1] == (
        "Environment: Fast 9, 2 of all cores for this process, governor performance"
    )


def test_the_environment_is_for_people():
    facts = {
        "logical_cores": 8,
        "cpu_quota": 1.5,
        "gpus": ["NVIDIA H200"],
        "memory_bytes": 24 * 2**30,
        "load_average": [1.234, 0.5, 0.0],
        "other_load": 0.015,
        "other_load_while_timing": 0.25,
        "power": {"governor": None, "on_battery": True, "gpu_limits_watts": [350.0]},
        "operating_system": "Linux-6",
        "python": "3.11.7",
        "date": "2026-11-26T14:00:00+00:00",
        "versions": {"keras": "3.15.1", "numpy": "2.3.0"},
    }
    lines = report_text(BenchmarkReport((single(environment=facts),))).splitlines()
    assert lines[-2:] == [
        "Environment: Fast 9, NVIDIA H200, 2 of 8 cores for this process, a CPU quota of 1.5, "
        "24.0 GiB, load average 1.23 0.50 0.00, its cores 2% busy with other programs before, 25% "
        "during timing, on battery, GPU limits 350 W, Linux-6, Python 3.11.7, "
        "2026-11-26T14:00:00+00:00",
        "Packages: keras 3.15.1, numpy 2.3.0",
    ]


def test_a_slow_network_has_a_frame_rate():
    text = report_text(BenchmarkReport((single(p50_ms=21_000.0),)))
    assert "FPS 0.0476 at the median" in text


def test_what_was_not_measured_is_not_told():
    text = report_text(BenchmarkReport((single(),)))
    assert "Multiply" not in text
    assert "emory: " not in text


def test_several_are_a_table():
    lines = report_text(BenchmarkReport((pair(),))).splitlines()
    cells = lines[3].split()
    assert cells[:7] == ["onnxruntime", "64x128", "5.000", "6.000", "7.000", "5.000", "200.0"]
    assert cells[7:] == ["2.000", "[1.900,", "2.100]", "400.0", "40.0", "700"]
    assert sum(line.startswith("Measured:") for line in lines) == 1
    assert "At 64x128, onnxruntime is 2.000 [1.900, 2.100] times as fast as keras (" in lines[4]
    assert lines[4].endswith("the interval excludes 1.")


def test_an_interval_around_one_shows_no_difference():
    text = report_text(BenchmarkReport((pair(1.01, (0.99, 1.02)),)))
    assert "the interval contains 1: no difference is shown" in text
    text = report_text(BenchmarkReport((pair(1.01, None),)))
    assert "8 rounds are too few for an interval" in text


def test_the_file_has_one_measurement_or_a_list(tmp_path):
    report = BenchmarkReport((single(command="python -m tools.benchmark"),))
    report.save(tmp_path / "one.json")
    saved = read_json(tmp_path / "one.json")
    assert saved["times"]["p50_ms"] == 10.0
    assert saved["harness_version"] == 3
    assert saved["command"] == "python -m tools.benchmark"
    BenchmarkReport((pair(), pair()), "python").save(tmp_path / "several.json")
    saved = read_json(tmp_path / "several.json")
    assert [row["name"] for row in saved["results"]] == ["keras", "onnxruntime"] * 2
    assert saved["results"][1]["speedup_interval"] == [1.9, 2.1]
    assert saved["results"][1]["share_of_peak"] == 0.4
    assert [len(read_measurements(path)) for path in sorted(tmp_path.iterdir())] == [1, 4]
