"""Every tool says which flags it has."""

import dataclasses

import pytest

from keras_fasterseg.pipelines import (
    benchmark_options,
    convert_dataset,
    export_settings,
    pass_settings,
    predict_settings,
    results,
    settings,
)
from tests.tools.run_tool import run_tool

DATA = (settings.DataSettings, "")
SUPERNET = (settings.FasterSegSettings, "")
LATENCY = (settings.LatencySettings, "")
CLIENT = ("server", "protocol", "model", "version", "timeout", "attempts")
TOOLS = {
    "pretrain_supernet": (
        ["workdir", "seed"],
        [DATA, SUPERNET, (settings.PretrainSettings, "pretrain_")],
    ),
    "search": (
        ["workdir", "seed", "pretrained", "latency_table", "min_fps", "max_fps"],
        [DATA, SUPERNET, (settings.SearchSettings, "search_")],
    ),
    "train": (
        ["workdir", "seed", "genotype", "role", "teacher"],
        [DATA, (settings.TrainSettings, "teacher_"), (settings.TrainSettings, "student_")],
    ),
    "evaluate": (
        ["artefact", "split", "output", "official", "submission", "overwrite"],
        [DATA, (pass_settings.PassSettings, "")],
    ),
    "export": (
        [
            *("network", "target", "overwrite", "dataset", "data_dir", "class_order"),
            *("train_split", "val_split"),
        ],
        [(export_settings.ExportSettings, ""), (settings.ReadingSettings, "")],
    ),
    "benchmark": (
        ["artefact", "runtime", "output", "side_by_side", "side_by_side_runtime", "compare"],
        [(settings.BenchmarkSettings, ""), (benchmark_options.BenchmarkOptions, "")],
    ),
    "predict": (
        [
            *("artefact", "images", "output", "dataset", "data_dir", "class_order"),
            *("class_names", "class_colors"),
        ],
        [(predict_settings.PredictSettings, "")],
    ),
    "describe": (
        [
            *("genotype", "input_size", "num_classes", "json", "latency_table"),
            "reference_quirks",
        ],
        [],
    ),
    "measure_latency": (
        [
            *("workdir", "num_classes", "verify"),
            *("input_size", "runtime", "threads", "time_budget", "calibrate"),
        ],
        [SUPERNET, LATENCY],
    ),
    "convert_reference": (
        [
            *("kind", "weights", "output", "genotype", "role"),
            *("branch_scales", "reference_quirks", "allow_partial"),
        ],
        [SUPERNET],
    ),
    "inspect_dataset": (
        ["dataset", "data_dir", "splits", "json", "sheet", "sheet_images"],
        [(settings.ReadingSettings, "")],
    ),
    "draw_architecture": (
        ["genotype", "output", "latency_table", "input_size", "num_classes", "name"],
        [],
    ),
    "draw_search": (["workdir", "output", "format"], []),
    "build_file": (["root"], []),
    "convert_dataset": (
        ["dataset", "data_dir", "output", "verify"],
        [(convert_dataset.ConversionSettings, ""), (settings.ReadingSettings, "")],
    ),
    "results": (["runs", "readme", "benchmarks", "tables", "searches", "exports", "record"], []),
    "serving.prepare": (
        [
            *("artefact", "repository", "name", "version", "overwrite", "other_classes"),
            *("warmup_size", "mount"),
            *("max_batch_size", "batch_timeout_ms", "batch_threads", "max_enqueued_batches"),
        ],
        [],
    ),
    "serving.client": (
        ["images", "output", "dataset", "data_dir", "opacity", *CLIENT],
        [(settings.ReadingSettings, "")],
    ),
    "serving.load": (["clients", "seconds", "input_size", "batch_size", *CLIENT], []),
    "run_all": (
        ["workdir", "seed", "compare", "estimate", "estimate_seconds", "force"],
        [
            *(DATA, SUPERNET, LATENCY),
            (settings.PretrainSettings, "pretrain_"),
            (settings.SearchSettings, "search_"),
            (settings.TrainSettings, "teacher_"),
            (settings.TrainSettings, "student_"),
            (settings.BenchmarkSettings, "benchmark_"),
        ],
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_help_lists_all_flags(tool):
    names, kinds = TOOLS[tool]
    fields = [f"{prefix}{each.name}" for kind, prefix in kinds for each in dataclasses.fields(kind)]
    text = run_tool(tool, "--help").stdout
    listed = {
        word.removeprefix("--").removeprefix("[no]").removesuffix(":")
        for word in text.split()
        if word.startswith("--") and word.endswith(":")
    }
    assert {*names, *fields} <= listed
    # Nothing of other tools.
    assert listed <= {*names, *fields, "debug"}


def test_the_markers_of_results_are_those_that_it_looks_for():
    text = run_tool("results", "--help").stdout
    text = " ".join(text.split())
    assert results.BEGIN in text
    assert results.END in text
