"""The tables of results, of files written by hand."""

import re
import subprocess

import pytest

from keras_fasterseg.files import write_json
from tests.shared import ROOT
from tests.tools.maintenance.markdown_rows import rows
from tests.tools.run_tool import run_tool
from tools.maintenance import results
from tools.maintenance.run_table import run_markdown

ENTROPIES = {
    "teacher": {"alpha": [1.0, 0.75], "beta": [0.9, 0.8]},
    "student": {"alpha": [1.0, 0.5], "beta": [0.95, 0.25], "gamma": [0.99, 0.125]},
}
SUMMARY = {
    "dataset": "toy",
    "split": "val",
    "command": "python -m tools.run_all --workdir=w",
    "entropies": ENTROPIES,
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
BENCHMARK = {
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
}
MARKERS = f"{results.BEGIN}\nold\n{results.END}"


def run_folder(folder, **files):
    """A workdir with `files` by their stem."""
    write_json(folder / "benchmark" / "student.json", BENCHMARK)
    for name, value in files.items():
        write_json(folder / f"{name}.json", value)
    return folder


def test_summary_as_markdown(tmp_path):
    markdown = run_markdown(run_folder(tmp_path, summary=SUMMARY))
    networks, classes = markdown.split("<details>")
    assert rows(networks) == [
        ["network", "mIoU % at original size", "FPS at 64x128", "parameters", "GMACs"],
        ["teacher", "50.00", "12.3", "1,234,567", "2.50"],
        ["student", "12.35", "100.0", "1,000", "0.01"],
        ["constant predictor", "25.00", "", "", ""],
    ]
    assert rows(classes)[1:] == [["road", "75.00", "24.69"], ["car", "25.00", "absent"]]
    for part in (
        "Minutes: search 1.2, teacher 2.5; total 3.8.",
        "mIoU on `val` of toy, every image at its original size, padded",
        "Command: `python -m tools.run_all --workdir=w`",
        "teacher alpha 1.000 → 0.750, beta 0.900 → 0.800; student alpha 1.000 → 0.500",
        "median of 77 calls, on Some Processor with 2 threads; harness version 3.",
    ):
        assert part in markdown


def test_comparison_as_markdown(tmp_path):
    markdown = run_markdown(run_folder(tmp_path, comparison=COMPARISON))
    networks, classes = markdown.split("<details>")
    assert rows(networks)[1:] == [
        ["searched student, distilled", "40.00", "", "10", "3.00", "20"],
        ["random", "30.00", "7.2", "20", "4.00", "20"],
        ["constant predictor", "10.00", "", "", "", ""],
    ]
    assert rows(classes)[1] == [r"a\|b", "40.00", "30.00"]
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
    assert "searched and published networks" in shown
    assert "toy: searched networks" not in shown
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
def test_markers_that_are_not_there_once_each(tmp_path, text):
    document = tmp_path / "page.md"
    document.write_text(text, encoding="utf-8")
    run = run_folder(tmp_path, summary=SUMMARY)
    with pytest.raises(ValueError, match=r"page\.md must contain the lines .* once each"):
        results.update_document(document, [run])


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ({key: SUMMARY[key] for key in SUMMARY if key != "minutes"}, r"results file \(.*'minutes'"),
        ({**SUMMARY, "teacher": 5}, "is not a valid results file"),
        ([], "is not a valid results file"),
        (
            {**SUMMARY, "teacher": {**SUMMARY["teacher"], "input_size": [1, 1]}},
            "timed at different sizes",
        ),
    ],
)
def test_results_that_are_not_whole(tmp_path, summary, message):
    document = tmp_path / "page.md"
    document.write_text(MARKERS, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        results.update_document(document, [run_folder(tmp_path, summary=summary)])
    assert str(tmp_path) in str(error.value)
    assert document.read_text(encoding="utf-8") == MARKERS


def test_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither summary\.json nor comparison\.json"):
        run_markdown(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        results.update_document(tmp_path / "page.md", [tmp_path])
    (tmp_path / "page.md").write_text(MARKERS)
    with pytest.raises(ValueError, match="no results to show"):
        results.update_document(tmp_path / "page.md", [])


def test_results_are_kept_beside_the_document(tmp_path):
    folder = run_folder(tmp_path / "runs" / "a", summary=SUMMARY)
    (folder / "teacher").mkdir()
    (folder / "teacher" / "network.keras").write_text("large")
    copy = results.record(folder, tmp_path / "kept")
    assert copy == tmp_path / "kept" / "a"
    files = sorted(path.name for path in copy.rglob("*") if path.is_file())
    assert files == ["student.json", "summary.json"]
    assert run_markdown(copy) == run_markdown(folder)
    # Again, and of itself.
    write_json(folder / "summary.json", {**SUMMARY, "dataset": "other"})
    assert results.record(results.record(folder, tmp_path / "kept"), tmp_path / "kept") == copy
    assert run_markdown(copy).startswith("### other")
    write_json(tmp_path / "speed.json", {})
    assert results.record(tmp_path / "speed.json", tmp_path / "kept").read_text() == "{}\n"
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty contains no results"):
        results.record(tmp_path / "empty", tmp_path / "kept")


def test_the_pages_of_results_match_the_kept_files(tmp_path):
    """`make results` would change nothing."""
    made = subprocess.run(
        ["make", "--dry-run", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pages = []
    for recipe in made.stdout.replace("\\\n", "").splitlines():
        given = dict(re.findall(r"--(\w+)=(docs/\S+)", recipe))
        if not given:
            continue
        name = given.pop("document", "docs/results.md")
        kinds = ("runs", "benchmarks", "tables", "searches", "exports", "shrinking")
        kinds += ("recipes", "rankings", "steps", "communication", "videos")
        sources = [
            [ROOT / path for path in given[kind].split(",")] if kind in given else []
            for kind in kinds
        ]
        assert set(given) <= set(kinds)
        copy = tmp_path / "page.md"
        page = (ROOT / name).read_text(encoding="utf-8")
        copy.write_text(page, encoding="utf-8")
        results.update_document(copy, *sources)
        assert copy.read_text(encoding="utf-8") == page, f"run `make results` for {name}"
        pages.append(name)
    assert pages == ["docs/results.md", "docs/scaling.md"]


def test_the_readme_is_short_and_its_results_are_rows_of_the_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    section = readme.split("## Results\n", 1)[1].split("\n## ", 1)[0]
    shown = [line for line in section.splitlines() if line.startswith("|")]
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8").splitlines()
    assert len(shown) > 5
    assert set(shown) <= set(page)


def test_the_tool_says_which_markers_it_looks_for():
    text = " ".join(run_tool("maintenance.results", "--help").stdout.split())
    assert results.BEGIN in text
    assert results.END in text
