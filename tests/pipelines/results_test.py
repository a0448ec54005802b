"""The tables of results, of files written by hand."""

import json
import re
import subprocess

import pytest

from keras_fasterseg.files import write_json
from keras_fasterseg.pipelines import results
from tests.shared import ROOT

ENTROPIES = {
    "teacher": {"alpha": [1.0, 0.75], "beta": [0.9, 0.8]},
    "student": {"alpha": [1.0, 0.5], "beta": [0.95, 0.25], "gamma": [0.99, 0.125]},
}
SUMMARY = {
    "dataset": "toy",
    "num_classes": 2,
    "constant_predictor_miou": 0.25,
    "minutes": {"search": 1.25, "teacher": 2.5},
    "teacher": {
        "input_size": [64, 128],
        "parameters_inference": 1234567,
        "macs": 2_500_000_000,
        "miou": 0.5,
        "per_class": {"road": 0.75, "car": 0.25},
        "fps": 12.34,
    },
    "student": {
        "input_size": [64, 128],
        "parameters_inference": 1000,
        "macs": 10_000_000,
        "miou": 0.12345,
        "per_class": {"road": 0.2469, "car": None},
        "fps": 99.96,
    },
}
COMPARISON = {
    "dataset": "toy",
    "split": "test",
    "command": "python -m tools.compare --seed=3",
    "seed": 3,
    "minutes": {"search": 6.0},
    "input_size": [352, 480],
    "device": "a CPU",
    "constant_predictor_miou": 0.1,
    "entropies": ENTROPIES,
    "rows": [
        {
            "name": "searched student",
            "distilled": True,
            "genotype": "abc",
            "miou": 0.4,
            "per_class": {"a|b": 0.4},
            "parameters_inference": 10,
            "macs": 3_000_000_000,
            "fps": None,
            "epochs": 20,
        },
        {
            "name": "random",
            "distilled": False,
            "genotype": "def",
            "miou": 0.3,
            "per_class": {"a|b": 0.3},
            "parameters_inference": 20,
            "macs": 4_000_000_000,
            "fps": 7.25,
            "epochs": 20,
        },
    ],
}
MARKERS = f"{results.BEGIN}\nold\n{results.END}"


def run_folder(folder, **files):
    """A workdir with `files` by their stem."""
    for name, value in files.items():
        write_json(folder / f"{name}.json", value)
    return folder


def table_rows(markdown: str) -> dict[str, list[str]]:
    """The cells of every row of a Markdown text, by the first."""
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows}


def test_summary_as_markdown(tmp_path):
    report = results.read_report(run_folder(tmp_path, summary=SUMMARY))
    markdown = results.report_markdown(report)
    networks, classes = markdown.split("<details>")
    assert table_rows(networks) == {
        "network": ["mIoU % at own size", "FPS at 64x128", "parameters", "GMACs"],
        ":-------------------": table_rows(networks)[":-------------------"],
        "teacher": ["50.00", "12.3", "1,234,567", "2.50"],
        "student": ["12.35", "100.0", "1,000", "0.01"],
        "constant predictor": ["25.00", "", "", ""],
    }
    assert table_rows(classes)["road"] == ["75.00", "24.69"]
    assert table_rows(classes)["car"] == ["25.00", "absent"]
    assert "Minutes: search 1.2, teacher 2.5; 3.8 in all." in markdown
    assert "mIoU on `val` of toy, every image at its own size, which the network pads" in markdown
    assert "Entropy" not in markdown


def test_command_and_entropies_of_a_summary(tmp_path):
    more = {"command": "python -m tools.run_all --workdir=w", "entropies": ENTROPIES}
    report = results.read_report(run_folder(tmp_path, summary={**SUMMARY, **more}))
    markdown = results.report_markdown(report)
    assert "Command: `python -m tools.run_all --workdir=w`" in markdown
    assert (
        "teacher alpha 1.000 → 0.750, beta 0.900 → 0.800; student alpha 1.000 → 0.500" in markdown
    )


def test_entropies_are_taken_from_the_search_where_the_summary_has_none(tmp_path):
    epochs = [
        {
            role: {"entropy": {name: values[epoch] for name, values in families.items()}}
            for role, families in ENTROPIES.items()
        }
        for epoch in range(2)
    ]
    write_json(tmp_path / "search" / "search.json", epochs)
    report = results.read_report(run_folder(tmp_path, summary=SUMMARY))
    assert report.entropies == ENTROPIES


def test_how_frame_rates_were_measured(tmp_path):
    write_json(
        tmp_path / "benchmark" / "student.json",
        {
            "harness_version": 3,
            "batch_size": 1,
            "times": {"repetitions": 77},
            "runner": {
                "runtime": "saved_model",
                "version": "tensorflow 2.21.0",
                "precision": "float32",
                "device": "CPU",
                "threads": 2,
            },
            "environment": {"cpu": "Some Processor"},
        },
    )
    report = results.read_report(run_folder(tmp_path, summary=SUMMARY))
    assert (
        "median of 77 calls, on Some Processor with 2 threads; harness version 3." in report.device
    )


def test_comparison_as_markdown(tmp_path):
    report = results.read_report(run_folder(tmp_path, comparison=COMPARISON))
    markdown = results.report_markdown(report)
    rows = table_rows(markdown)
    assert rows["searched student, distilled"] == ["40.00", "", "10", "3.00", "20"]
    assert rows["random"] == ["30.00", "7.2", "20", "4.00", "20"]
    assert rows["constant predictor"] == ["10.00", "", "", "", ""]
    assert rows[r"a\|b"] == ["40.00", "30.00"]
    assert "measured on a CPU. Seed 3." in markdown
    assert "gamma 0.990 → 0.125" in markdown


def test_document_is_changed_between_its_markers_only(tmp_path):
    run = run_folder(tmp_path / "run", summary=SUMMARY, comparison=COMPARISON)
    document = tmp_path / "page.md"
    document.write_text(f"before\n{MARKERS}\nafter\n", encoding="utf-8")
    shown = results.update_document(document, [run])
    text = document.read_text(encoding="utf-8")
    assert text == f"before\n{results.BEGIN}\n{shown}\n{results.END}\nafter\n"
    # The comparison has the summary's rows too.
    assert "beside others" in shown
    assert "the searched networks" not in shown
    assert results.update_document(document, [run]) == shown
    assert document.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        results.BEGIN,
        f"{results.END}{results.BEGIN}",
        f"{MARKERS}{MARKERS}",
        f"{MARKERS}{results.END}",
    ],
)
def test_markers_that_are_not_there_once_each(text):
    with pytest.raises(ValueError, match=r"page\.md must hold the lines .* once each"):
        results.between_markers(text, "new", "page.md")


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ({key: SUMMARY[key] for key in SUMMARY if key != "minutes"}, "lacks the field 'minutes'"),
        ({**SUMMARY, "teacher": 5}, "has not the form of results"),
        ([], "has not the form of results"),
        (
            {**SUMMARY, "teacher": {**SUMMARY["teacher"], "input_size": [1, 1]}},
            "timed at different sizes",
        ),
    ],
)
def test_results_that_are_not_whole(tmp_path, summary, message):
    with pytest.raises(ValueError, match=message) as error:
        results.read_report(run_folder(tmp_path, summary=summary))
    assert str(tmp_path / "summary.json") in str(error.value)


def test_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither summary\.json nor comparison\.json"):
        results.read_report(tmp_path)
    with pytest.raises(FileNotFoundError, match="no document"):
        results.update_document(tmp_path / "page.md", [tmp_path])
    with pytest.raises(ValueError, match="no run to show"):
        results.update_document(tmp_path / "page.md", [])
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY)[:-9], encoding="utf-8")
    with pytest.raises(ValueError, match=r"summary\.json is not a JSON file"):
        results.read_report(tmp_path)


def test_results_are_kept_beside_the_document(tmp_path):
    folder = run_folder(tmp_path / "runs" / "a", summary=SUMMARY)
    (folder / "teacher").mkdir()
    (folder / "teacher" / "network.keras").write_text("large")
    copy = results.record(folder, tmp_path / "kept")
    assert copy == tmp_path / "kept" / "a"
    assert [path.name for path in copy.rglob("*") if path.is_file()] == ["summary.json"]
    assert results.read_report(copy) == results.read_report(folder)
    # Again, and of itself.
    write_json(folder / "summary.json", {**SUMMARY, "dataset": "other"})
    assert results.record(results.record(folder, tmp_path / "kept"), tmp_path / "kept") == copy
    assert results.read_report(copy).dataset == "other"
    write_json(tmp_path / "speed.json", {})
    assert results.record(tmp_path / "speed.json", tmp_path / "kept").read_text() == "{}\n"
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty holds no results"):
        results.record(tmp_path / "empty", tmp_path / "kept")


def test_readme_is_what_the_kept_results_say(tmp_path):
    """What `make results` would write is there already."""
    made = subprocess.run(
        ["make", "--dry-run", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    recipe = made.stdout.replace("\\\n", "")
    given = dict(re.findall(r"--(\w+)=(docs/\S+)", recipe))
    kinds = ("runs", "benchmarks", "tables", "searches", "exports")
    sources = [
        [ROOT / path for path in given[kind].split(",")] if kind in given else [] for kind in kinds
    ]
    assert set(given) <= set(kinds)
    copy = tmp_path / "README.md"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    copy.write_text(readme, encoding="utf-8")
    results.update_document(copy, *sources)
    assert copy.read_text(encoding="utf-8") == readme, "run `make results`"
