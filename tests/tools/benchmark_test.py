"""The benchmark as a user calls it."""

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.reports.describe import describe
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from tests.runtimes import exports
from tests.stand_in import MEAN, NUM_CLASSES, STD, segmentation_network
from tests.tools.run_tool import run_tool, sentence

SHORT = ("--warmup=1", "--repetitions=6", "--seconds=0", "--memory=false", "--nopeak")


def tiny_genotype() -> FasterSegGenotype:
    """A network of three cells."""
    cells = (
        CellGenotype(0, 8, "conv", 1, 0.5),
        CellGenotype(1, 8, "conv", 2, 0.5),
        CellGenotype(2, 16, "conv", 1, 0.5),
    )
    return FasterSegGenotype("fasterseg", 2, 4, 0.5, 0.5, (BranchGenotype(16, cells),))


@pytest.fixture(scope="module")
def genotype(tmp_path_factory):
    path = tmp_path_factory.mktemp("genotype") / "mine.json"
    tiny_genotype().save(path)
    return path


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "1"
    model = segmentation_network()
    export_saved_model(model, path, num_classes=NUM_CLASSES, mean=MEAN, std=STD)
    return path


def measure(*arguments) -> str:
    # Tests run beside one another.
    finished = run_tool("benchmark", "--allow_load", *arguments)
    assert finished.status == 0, finished.stderr
    return finished.stdout


def test_everything_of_one_network(genotype, tmp_path):
    output = tmp_path / "speed.json"
    arguments = ("--warmup=1", "--repetitions=6", "--seconds=0", f"--output={output}")
    text = measure(f"--artefact={genotype}", "--input_size=64x96", *arguments)
    result = read_json(output)
    assert result["fps"] == pytest.approx(1000 / result["times"]["p50_ms"])
    assert f"p50 {result['times']['p50_ms']:.3f} ms" in text
    assert result["macs"] == describe(tiny_genotype(), (64, 96))["macs"]
    assert result["macs_per_second"] == pytest.approx(result["macs"] * result["fps"])
    share = result["macs_per_second"] / result["peak_macs_per_second"]
    assert result["share_of_peak"] == pytest.approx(share)
    assert 0 < share < 1
    assert result["memory_peak_mib"] > result["memory_before_mib"] > 0
    assert f"{result['memory_peak_mib']:.0f} MiB peak" in text
    assert result["harness_version"] == 3
    assert result["command"].startswith("python -m tools.benchmark --allow_load --artefact=")
    assert result["settings"]["min_repetitions"] == 6
    assert result["scope"] == "network+argmax"
    assert result["scope_description"] in text


@pytest.mark.slow
def test_runtimes_and_sizes_in_all_combinations(genotype, tmp_path):
    output = tmp_path / "speed.json"
    text = measure(
        f"--artefact={genotype}",
        "--runtime=keras,saved_model",
        "--input_size=64x64,64x96",
        "--scope=network",
        f"--output={output}",
        *SHORT,
    )
    rows = read_json(output)["results"]
    combinations = [(row["runner"]["runtime"], row["input_size"]) for row in rows]
    assert combinations == [
        *(("keras", [64, 64]), ("saved_model", [64, 64])),
        *(("keras", [64, 96]), ("saved_model", [64, 96])),
    ]
    for row in rows:
        assert row["scope"] == "network"
        assert row["settings"]["in_turns_with"] == ["keras", "saved_model"]
        assert row["settings"]["order"] == "rotated"
        assert row["speedup_interval"][0] <= row["speedup"] <= row["speedup_interval"][1]
        assert f"{row['times']['p50_ms']:.3f}" in text
    assert "with a pause of 20 ms and 30 ms of untimed calls before each timed one" in text
    assert "each round starts with the next runner" in text
    assert "At 64x96, saved_model is" in text


def test_an_export_for_one_size_is_measured_at_that_size(tmp_path):
    output = tmp_path / "speed.json"
    onnx = exports.export("onnx", "both", (64, 96), 2)
    measure(f"--artefact={onnx}", "--threads=1", f"--output={output}", *SHORT)
    result = read_json(output)
    assert (result["input_size"], result["batch_size"]) == ([64, 96], 2)
    assert result["runner"]["threads"] == 1


def test_files_from_end_to_end(saved_model, tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "street.png")
    arguments = (f"--image={tmp_path}/street.png", "--scope=file_to_label_map", "--batch_size=2")
    text = measure(f"--artefact={saved_model}", "--input_size=64x64", *arguments, *SHORT)
    assert "Measured: file_to_label_map, PNG files on disk to PNG label maps" in text
    assert f"batch 2 of 64x64; 6 calls after 1 untimed ones; images: {tmp_path}" in text


class TestComparison:
    """Result of comparing two files."""

    @pytest.fixture(scope="class")
    def files(self, saved_model, tmp_path_factory):
        folder = tmp_path_factory.mktemp("results")
        for name, runtime in (("a", "saved_model"), ("b", "xla")):
            arguments = (f"--runtime={runtime}", "--input_size=96x96", *SHORT)
            output = f"--output={folder}/{name}.json"
            measure(f"--artefact={saved_model}", *arguments, output)
        return folder

    def test_two_runtimes(self, files):
        text = measure(f"--compare={files}/a.json,{files}/b.json")
        fps = [read_json(files / f"{name}.json")["fps"] for name in "ab"]
        assert f"{fps[1] / fps[0]:.3f}" in text
        assert "Permitted difference: runtime saved_model and xla." in text

    def test_unlike_runs(self, files):
        value = {**read_json(files / "a.json"), "batch_size": 4}
        write_json(files / "four.json", value)
        finished = run_tool("benchmark", f"--compare={files}/a.json,{files}/four.json")
        assert "the batch size is 1 in the first and 4 in the second" in sentence(finished)

    def test_other_files(self, files):
        write_json(files / "other.json", {"miou": 0.5})
        finished = run_tool("benchmark", f"--compare={files}/a.json,{files}/other.json")
        assert "other.json contains no measurements" in sentence(finished)
        finished = run_tool("benchmark", f"--compare={files}/a.json")
        assert "--compare needs exactly two files" in sentence(finished)


def test_side_by_side(saved_model, genotype, tmp_path):
    output = tmp_path / "pair.json"
    text = measure(
        f"--artefact={saved_model}",
        f"--side_by_side={genotype}",
        "--side_by_side_runtime=keras",
        "--input_size=64x64",
        f"--output={output}",
        *SHORT,
    )
    first, second = read_json(output)["results"]
    assert (first["artefact"], second["artefact"]) == (str(saved_model), str(genotype))
    low, high = second["speedup_interval"]
    assert f"is {second['speedup']:.3f} [{low:.3f}, {high:.3f}] times as fast as" in text
    assert ("the interval excludes 1" in text) != (low <= 1 <= high)


def test_a_measurement_is_shown_even_if_it_cannot_be_written(saved_model, tmp_path):
    (tmp_path / "file").touch()
    finished = run_tool(
        "benchmark",
        f"--artefact={saved_model}",
        "--input_size=32x32",
        f"--output={tmp_path}/file/speed.json",
        "--allow_load",
        *SHORT,
    )
    assert "FPS " in finished.stdout
    assert "file" in sentence(finished)


@pytest.mark.parametrize("others", [1, 2])
def test_side_by_side_with_itself_has_a_row_for_each(saved_model, others):
    text = measure(
        f"--artefact={saved_model}",
        f"--side_by_side={','.join([str(saved_model)] * others)}",
        "--input_size=64x64",
        *SHORT,
    )
    # Of two, a sentence says how they compare.
    assert ("saved_model #2 is" in text) == (others == 1)
    rows = [line.startswith("saved_model ") for line in text.splitlines()]
    assert np.count_nonzero(rows) == 1 + others


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Nothing to measure; give --artefact"),
        (("--artefact=A", "--runtime=torch"), "Unknown runtime 'torch'; choose one of keras, "),
        (("--artefact=A", "--repetitions=0"), "--repetitions must be at least 1"),
        (("--artefact=A", "--input_size=64x64,16x64"), "must be at least 32"),
        (("--artefact=A", "--input_size=64"), "expected HEIGHTxWIDTH"),
        (("--artefact=A", "--scope=all"), "--scope must be one of network, "),
        (("--artefact=A", "--pause_ms=-1"), "--pause_ms must be at least 0"),
        (("--artefact=A", "--image=gone.png"), "image gone.png does not exist"),
        (("--artefact=gone",), "gone"),
        (("--artefact=A", "--side_by_side_runtime=xla"), "of --side_by_side, which is not set"),
        (
            ("--artefact=A", "--side_by_side=A", "--runtime=xla,keras"),
            "only one --runtime is allowed",
        ),
        (("--compare=gone.json,gone.json",), "file gone.json does not exist"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(saved_model, arguments, message):
    arguments = [each.replace("=A", f"={saved_model}") for each in arguments]
    assert message in sentence(run_tool("benchmark", "--allow_load", *arguments))
