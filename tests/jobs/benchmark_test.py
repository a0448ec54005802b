import json
import pathlib

import pytest
from absl import logging

from keras_fasterseg.benchmark import timing
from keras_fasterseg.benchmark.matrix_peak import MatrixPeak
from keras_fasterseg.benchmark.memory import MemoryUse
from keras_fasterseg.benchmark.report import report_text
from keras_fasterseg.export.proof import Proof
from keras_fasterseg.jobs import benchmark as job
from keras_fasterseg.jobs.benchmark import Contender, benchmark, benchmark_in_turns, fixed_shape
from keras_fasterseg.settings.benchmark_options import BenchmarkOptions
from keras_fasterseg.settings.stages import BenchmarkSettings
from keras_fasterseg.spaces.registry import load_preset
from tests.benchmark.fake_clock import FakeClock
from tests.benchmark.fake_runner import FakeRunner

SETTINGS = BenchmarkSettings(input_size=(32, 64), warmup=1, repetitions=8, seconds=0.0)
# Of the published student at 1024 x 2048.
MACS = 27_770_486_784
SECONDS = {"keras": 0.5, "onnxruntime": 0.25}


class World:
    """Stands in for artefacts, matrix products and other processes; keeps what was asked."""

    def __init__(self):
        self.clock = FakeClock()
        self.opened = []
        self.tasks = []
        self.peaks = [1e9, 4e9, 2e9]
        self.metadata = {}
        self.memory_error = None
        self.allowed = []

    def open(self, artefact, runtime=None, **options):
        self.opened.append((artefact, runtime, options))
        name = runtime or "keras"
        runner = FakeRunner(self.clock, [SECONDS[name]], name, metadata=self.metadata)
        if name != "keras":
            runner.path = pathlib.Path("converted") / "model.onnx"
        return runner

    def peak(self, device, threads):
        self.peaks = [*self.peaks[1:], self.peaks[0]]
        return MatrixPeak(self.peaks[-1], "numpy", 8, device)

    def memory(self, task):
        self.tasks.append(task)
        if self.memory_error:
            raise RuntimeError(self.memory_error)
        return MemoryUse(100.0, 300.0)


@pytest.fixture
def world(monkeypatch):
    world = World()
    monkeypatch.setattr(timing, "time", world.clock)
    monkeypatch.setattr(job, "open_artefact", world.open)
    monkeypatch.setattr(job, "measure_matrix_peak", world.peak)
    monkeypatch.setattr(job, "measure_memory", world.memory)
    monkeypatch.setattr(job, "check_load", world.allowed.append)
    return world


def test_one_artefact_at_its_own_runtime(world):
    result = benchmark("network.keras", SETTINGS)
    assert result.fps == pytest.approx(2.0)
    assert result.artefact == "network.keras"
    assert result.times.repetitions == 8
    assert result.memory_peak_mib is None
    assert world.tasks == []
    (opened,) = world.opened
    assert opened[:2] == ("network.keras", None)
    assert opened[2]["input_size"] == (32, 64)
    assert opened[2]["outputs"] == "class_ids"
    json.dumps(result.to_json(), allow_nan=False)


def test_a_busy_machine_is_refused_unless_it_is_allowed_or_part_of_a_run(world):
    benchmark("network.keras", SETTINGS)
    contenders = [Contender("network.keras")]
    for allow in (False, True):
        benchmark_in_turns(contenders, SETTINGS, options=BenchmarkOptions(allow_load=allow))
    assert world.allowed == [True, False, True]


def test_the_proof_of_an_export_is_told(world):
    assert benchmark("network.keras", SETTINGS).proof is None
    proof = Proof(16, "camvid val", "onnxruntime", 0.99991, 1e-3, 9.0, 0.5, 0.4988)
    world.metadata = {"proof": proof.to_json()}
    contenders = [Contender("a.onnx"), Contender("b.onnx")]
    report = benchmark_in_turns(contenders, SETTINGS)
    line = "Proven at export: 99.991 % equal labels, mIoU -0.12 points on 16 images of camvid val"
    assert report.to_json()["results"][1]["proof"] == line
    assert f"\na.onnx: {line}\nb.onnx: {line}\n" in report_text(report)


def test_work_and_share_of_the_better_peak(world):
    world.metadata = {"genotype": load_preset("fasterseg_student").to_json(), "num_classes": 19}
    settings = BenchmarkSettings(input_size=(1024, 2048), warmup=0, repetitions=1, seconds=0.0)
    result = benchmark("fasterseg_student", settings)
    assert result.macs == MACS
    assert result.macs_per_second == pytest.approx(2 * MACS)
    # 1 G before and 4 G after.
    assert result.share_of_peak == pytest.approx(2 * MACS / 4e9)


def test_work_is_that_of_the_padded_image():
    metadata = {"genotype": load_preset("fasterseg_student").to_json(), "num_classes": 19}
    assert job.network_macs(metadata, (1000, 2047)) == MACS
    assert job.network_macs({}, (64, 64)) is None
    assert job.network_macs({"genotype": None, "num_classes": 19}, (64, 64)) is None
    # A genotype of a later version does not keep its network from being timed.
    assert job.network_macs({"genotype": {"of": "later"}, "num_classes": 19}, (64, 64)) is None


def test_all_combinations_in_turns(world):
    contenders = [Contender("net", runtime) for runtime in SECONDS]
    report = benchmark_in_turns(
        contenders, SETTINGS, [(32, 64), (64, 64)], BenchmarkOptions(memory=False), "the command"
    )
    assert [[*table.results] for table in report.tables] == [["keras", "onnxruntime"]] * 2
    assert [table.speedups["onnxruntime"] for table in report.tables] == pytest.approx([2.0, 2.0])
    sizes = [result.input_size for table in report.tables for result in table.results.values()]
    assert sizes == [(32, 64), (32, 64), (64, 64), (64, 64)]
    assert report.tables[1].results["keras"].command == "the command"


def test_memory_is_that_of_the_converted_network_alone(world):
    options = BenchmarkOptions(scope="network", threads=2, peak=False)
    contenders = [Contender("net", runtime) for runtime in SECONDS]
    report = benchmark_in_turns(contenders, SETTINGS, options=options)
    for result in report.tables[0].results.values():
        assert (result.memory_before_mib, result.memory_peak_mib) == (100.0, 300.0)
        assert result.peak_macs_per_second is None
    opened = len(world.opened)
    for task in world.tasks:
        assert (task.input_size, task.batch_size, task.scope) == ((32, 64), 1, "network")
        task.open_runner()
    converted = pathlib.Path("converted") / "model.onnx"
    again = [(artefact, runtime) for artefact, runtime, _ in world.opened[opened:]]
    assert again == [("net", "keras"), (converted, "onnxruntime")]
    assert all(options["outputs"] == "logits" for _, _, options in world.opened)
    assert all(options["threads"] == 2 for _, _, options in world.opened)


def test_without_memory_the_times_are_still_there(world, monkeypatch):
    warnings = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: warnings.append(text % values))
    world.memory_error = "It was killed."
    result = benchmark("net", SETTINGS, BenchmarkOptions())
    assert result.memory_peak_mib is None
    assert result.fps == pytest.approx(2.0)
    assert warnings == ["The memory use of keras could not be measured. It was killed."]


class TestFixedShape:
    """Sizes that exports are made for."""

    @pytest.fixture
    def exports(self, world, monkeypatch):
        shapes = {"free": (None, None), "a": (1, (64, 96)), "b": (None, (64, 96)), "c": (4, None)}
        shapes["d"] = (1, (96, 96))

        def open_artefact(artefact, runtime=None, **options):
            runner = world.open(artefact, runtime, **options)
            runner.batch_size, runner.input_size = shapes[artefact]
            return runner

        monkeypatch.setattr(job, "open_artefact", open_artefact)
        monkeypatch.setattr(job, "is_network", lambda artefact: artefact == "network.keras")

    @pytest.mark.parametrize(
        ("artefacts", "expected"),
        [
            (["free"], (None, None)),
            (["network.keras"], (None, None)),
            (["free", "network.keras", "b"], (None, (64, 96))),
            (["a", "b"], (1, (64, 96))),
        ],
    )
    def test_is_what_all_can_take(self, exports, world, artefacts, expected):
        assert fixed_shape([Contender(each) for each in artefacts], threads=2) == expected
        assert all(options == {"threads": 2} for *_, options in world.opened)

    def test_two_sizes_take_no_turns(self, exports):
        with pytest.raises(
            ValueError, match="must have the same size: a for 64x96 and d for 96x96; export"
        ):
            fixed_shape([Contender("a"), Contender("d")])
        with pytest.raises(ValueError, match="a for batches of 1 and c for batches of 4; export"):
            fixed_shape([Contender("a"), Contender("c")])


def test_names_tell_contenders_apart(world):
    contenders = [Contender("a", "keras"), Contender("b", "keras"), Contender("b", "keras")]
    (table,) = benchmark_in_turns(contenders, SETTINGS).tables
    assert [*table.results] == ["a (keras)", "b (keras)", "b (keras) #2"]
    (table,) = benchmark_in_turns([Contender("a"), Contender("a")], SETTINGS).tables
    assert [*table.results] == ["keras", "keras #2"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sizes": [(64, 64), (31, 64)]}, "input_size must be at least 32"),
        ({"options": BenchmarkOptions(scope="all")}, "scope must be one of network, network.argm"),
        ({"options": BenchmarkOptions(threads=0)}, "threads must be at least 1"),
        ({"options": BenchmarkOptions(pause_ms=-1.0)}, "pause_ms must be at least 0"),
        ({"options": BenchmarkOptions(settle_ms=-1.0)}, "settle_ms must be at least 0"),
        (
            {"contenders": [Contender("net", "torch")]},
            "Unknown runtime 'torch'; choose one of keras, ",
        ),
        ({"contenders": []}, "Nothing to measure"),
        ({"settings": BenchmarkSettings(repetitions=0)}, "repetitions must be at least 1"),
    ],
)
def test_impossible_benchmarks_are_refused_before_anything_is_opened(world, changed, message):
    with pytest.raises(ValueError, match=message):
        benchmark_in_turns(
            changed.get("contenders", [Contender("net")]),
            changed.get("settings", SETTINGS),
            changed.get("sizes", ()),
            changed.get("options", BenchmarkOptions()),
        )
    assert world.opened == []
