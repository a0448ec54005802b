import pytest

from keras_fasterseg.benchmark.comparison import (
    compare_files,
    comparison_text,
    read_measurements,
)
from keras_fasterseg.files import write_json
from tests.benchmark.measurements import result


@pytest.fixture
def write(tmp_path):
    """Writes measurements into a file and returns its path."""

    def write(name, *results):
        rows = [each.to_json() for each in results]
        write_json(tmp_path / name, rows[0] if len(rows) == 1 else {"results": rows})
        return tmp_path / name

    return write


def test_rows_of_one_size_and_runtime_belong_together(write):
    runtimes = [{"runtime": name} for name in ("keras", "onnxruntime", "openvino")]
    sizes = [(64, 128), (128, 256)]
    first = write(
        "a.json",
        *(result(10.0, runtime, input_size=size) for size in sizes for runtime in runtimes[:2]),
    )
    second = write(
        "b.json",
        *(result(4.0, runtime, input_size=sizes[1]) for runtime in runtimes[1:]),
    )
    (row,) = compare_files(first, second)
    assert row.first["runner"]["runtime"] == row.second["runner"]["runtime"] == "onnxruntime"
    assert row.first["input_size"] == [128, 256]
    assert row.speedup == pytest.approx(2.5)
    assert row.differences == []
    text = comparison_text([row])
    assert text.splitlines()[2].split() == [
        *("onnxruntime", "128x256", "10.000", "4.000", "100.0", "250.0", "2.500")
    ]


def test_what_one_compares_may_differ_and_is_told(write):
    first = write("a.json", result(10.0, artefact="a"))
    other = {"runtime": "onnxruntime", "precision": "float16", "device": "CPU (Provider)"}
    second = write("b.json", result(5.0, other, artefact="b"))
    text = comparison_text(compare_files(first, second))
    for difference in ("artefact a and b", "runtime keras and onnxruntime", "float32 and float16"):
        assert f"{difference}." in text
    assert "Permitted difference: " in text
    assert "device" not in text


def test_a_processor_called_by_its_name_is_the_same_device(write):
    other = result(runner={"device": "CPU (Fast 9)"})
    assert len(compare_files(write("a.json", result()), write("b.json", other))) == 1


def test_networks_on_one_runtime_are_told_apart_by_their_names(write):
    pair = write("a.json", result(10.0, artefact="a"), result(5.0, artefact="b"))
    rows = compare_files(pair, pair)
    assert [row.first["artefact"] for row in rows] == ["a", "b"]
    assert [row.speedup for row in rows] == [1.0, 1.0]


def test_rows_that_several_could_belong_to_are_not_guessed_at(write):
    pair = write("a.json", result(10.0, artefact="a"), result(5.0, artefact="b"))
    other = write("b.json", result(10.0, artefact="c"), result(5.0, artefact="d"))
    with pytest.raises(ValueError, match="no rows of the same size match, either by artefact and"):
        compare_files(pair, other)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"harness_version": 1}, "the harness version is 3 in the first and 1 in the second"),
        ({"scope": "network"}, "the scope is 'network\\+argmax' in the first and 'network'"),
        ({"batch_size": 2}, "the batch size is 1 in the first and 2 in the second"),
        ({"runner": {"threads": 1}}, "the number of threads is 2 in the first and 1"),
        ({"runner": {"device": "NVIDIA H200"}}, "the device is 'CPU' in the first and 'GPU'"),
        ({"environment": {"cpu": "Slow 1"}}, "the processor is 'Fast 9' .* 'Slow 1'"),
        ({"environment": {"available_cores": 8}}, "the number of cores is 2 .* and 8"),
        ({"environment": {"cpu_quota": 1.5}}, "the CPU quota is None in the first and 1.5 in"),
        ({"environment": {"power": {"governor": "powersave"}}}, "the power of the host is .*save"),
        ({"input_size": (32, 64)}, "the input size is 64x128 in the first and 32x64 in the"),
        ({"settings": {"pause_ms": 0.0}}, "the pause between calls is 20.0 .* and 0.0"),
        (
            {"settings": {"pause_ms": 20.0, "settle_ms": 5.0}},
            "the settling before calls is None .* and 5.0",
        ),
        (
            {"settings": {"image": "a.png", "pause_ms": 20.0}},
            "the image is None in the first and 'a.png'",
        ),
    ],
)
def test_unlike_runs_are_refused_with_the_field_and_both_values(write, changed, message):
    first, second = write("a.json", result()), write("b.json", result(**changed))
    with pytest.raises(ValueError, match=f"cannot be compared: {message}"):
        compare_files(first, second)


def test_threads_of_the_host_do_not_matter_on_a_gpu(write):
    gpu = {"device": "NVIDIA H200"}
    first = write("a.json", result(1.0, gpu))
    second = write("b.json", result(1.0, {**gpu, "threads": 1}))
    assert len(compare_files(first, second)) == 1


def test_another_gpu_is_refused(write):
    gpu = {"device": "CUDA (CUDAExecutionProvider)"}
    first = write("a.json", result(1.0, gpu, {"gpus": ["A"]}))
    second = write("b.json", result(1.0, gpu, {"gpus": ["B"]}))
    with pytest.raises(ValueError, match=r"the GPU is \['A'\] in the first and \['B'\]"):
        compare_files(first, second)


def test_files_without_a_common_runtime(write):
    rows = [result(runner={"runtime": name}) for name in ("keras", "xla", "litert", "openvino")]
    first, second = write("a.json", *rows[:2]), write("b.json", *rows[2:])
    with pytest.raises(ValueError, match="no rows of the same size match, either by artefact and"):
        compare_files(first, second)


def test_a_machine_that_was_slower_is_told(write):
    files = [
        write(f"{rate}.json", result(peak_macs_per_second=rate)) for rate in (1e11, 1.05e11, 2e11)
    ]
    assert "not equally fast" not in comparison_text(compare_files(*files[:2]))
    assert "reached 100.0 and 200.0 G" in comparison_text(compare_files(files[0], files[2]))


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"results": []},
        {"results": [{"fps": 1.0}]},
        {**result().to_json(), "times": {}},
        {**result().to_json(), "times": {"p50_ms": 0.0}},
        {**result().to_json(), "runner": None},
        {**result().to_json(), "input_size": "64x128"},
    ],
)
def test_other_files_are_refused(tmp_path, value):
    write_json(tmp_path / "other.json", value)
    with pytest.raises(
        ValueError, match=r"other\.json contains no measurements; give a file written"
    ):
        read_measurements(tmp_path / "other.json")


def test_files_of_a_run_are_read(tmp_path):
    rows = {role: result().to_json() for role in ("teacher", "student")}
    write_json(tmp_path / "run.json", {"results": rows, "speedups": {}})
    assert len(read_measurements(tmp_path / "run.json")) == 2
