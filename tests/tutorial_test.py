"""docs/tutorial.ipynb is up to date with the tools, and runs from a checkout as a reader has it."""

import json
import os
import pathlib
import re
import shutil

import nbformat
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_fasterseg.files import read_json
from keras_fasterseg.run.trained_networks import load_network
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.serving.rest_client import RestClient
from tests.docs_flags_test import commands, flags_of
from tests.serving.model_server import Answer, model_server
from tests.shared import ROOT
from tools.maintenance.run_notebook import run_notebook

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
MAXIMUM_BYTES = 600_000
# Folders of one machine. `/models` is a folder of the server's container.
_ABSOLUTE = re.compile(r"(?<![\w.$])(/(home|root|tmp|work|Users|usr|opt|var|mnt)/|[A-Z]:\\)")
_TERMINAL_CODE = re.compile(r"\x1b\[")
pytestmark = pytest.mark.skipif(
    "TEST_SRCDIR" in os.environ,
    reason="Bazel gives a test what it declares, and this one is about docs",
)


def read(path: pathlib.Path):
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell) -> str:
    """Everything that a cell wrote, errors and warnings too."""
    return "".join(each.text for each in cell.outputs if each.output_type == "stream")


def pictures(notebook) -> list[str]:
    """The MIME types of the pictures, in order."""
    return [
        kind
        for cell in code_cells(notebook)
        for each in cell.outputs
        for kind in each.get("data", {})
        if kind.startswith("image/")
    ]


def assert_ran(notebook) -> None:
    """Every cell ran once, in order, without an error or a warning, and all but the first show."""
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [each for cell in cells for each in cell.outputs]
    assert {each.output_type for each in outputs} == {"stream", "display_data"}
    assert {each.name for each in outputs if each.output_type == "stream"} == {"stdout"}
    assert [bool(cell.outputs) for cell in cells] == [False, *[True] * (len(cells) - 1)]
    assert pictures(notebook) == ["image/jpeg", "image/svg+xml", "image/svg+xml", "image/png"]


@pytest.fixture(scope="module")
def notebook():
    return read(NOTEBOOK)


def test_it_is_a_short_notebook_with_its_outputs(notebook):
    nbformat.validate(notebook)
    assert 12 <= len(notebook.cells) <= 18
    assert NOTEBOOK.stat().st_size <= MAXIMUM_BYTES
    assert_ran(notebook)


def test_it_shows_nothing_of_one_machines_folders():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not _ABSOLUTE.search(text)
    assert not _TERMINAL_CODE.search(text)
    assert str(ROOT) not in text
    assert str(pathlib.Path.home()) + "/" not in text


@pytest.mark.parametrize("text", ["in /tmp/x", '"/home/me/x"', "C:\\x", "=/work/x"])
def test_folders_of_one_machine_are_found(text):
    assert _ABSOLUTE.search(text)


@pytest.mark.parametrize("text", ["runs/tmp/x", "$PWD/work/x", "v1/models/yard", "a/usr/b"])
def test_other_paths_are_not(text):
    assert not _ABSOLUTE.search(text)


def test_its_commands_have_their_flags(notebook):
    named = {
        (tool, flag)
        for cell in notebook.cells
        for tool, flags in commands(cell.source)
        for flag in flags
    }
    assert {tool for tool, _ in named} == {
        *("inspect_dataset", "run_all", "draw_search", "predict", "benchmark"),
        *("serving.prepare", "serving.client"),
    }
    assert {each for each in named if each[1] not in flags_of(each[0])} == set()


def test_flags_in_its_prose_are_those_of_a_run(notebook):
    prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    spans = re.findall(r"`--(\w+)`", prose)
    assert "search_min_fps" in spans
    known = flags_of("run_all") | flags_of("benchmark")
    assert [each for each in spans if each not in known] == []


def test_pages_that_it_names_are_there(notebook):
    prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    pages = re.findall(r"\]\(([^)#]+)[^)]*\)", prose)
    assert "own_data.md" in pages
    assert [each for each in pages if not (NOTEBOOK.parent / each).is_file()] == []


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_it_runs_from_nothing_to_a_served_network(tmp_path, notebook):
    checkout = tmp_path / "checkout"
    (checkout / "docs").mkdir(parents=True)
    for name in ("keras_fasterseg", "tools", "flags"):
        (checkout / name).symlink_to(ROOT / name)
    shutil.copy(NOTEBOOK, checkout / "docs")

    text = run_notebook(checkout / "docs" / NOTEBOOK.name)

    ran = nbformat.reads(text, as_version=4)
    assert [cell.source for cell in ran.cells] == [cell.source for cell in notebook.cells]
    assert_ran(ran)
    assert not _ABSOLUTE.search(text)
    assert len(text) <= MAXIMUM_BYTES
    folder = checkout / "runs" / "tutorial"
    assert_summary(folder)
    assert_answer(folder)
    *_, last = code_cells(ran)
    assert "18432 of 18432 pixels" in printed(last)


def assert_summary(folder: pathlib.Path) -> None:
    """The numbers are of the drawn images, and both networks are better than a constant."""
    summary = read_json(folder / "run" / "summary.json")
    labels = sorted((folder / "yard" / "labels" / "val").iterdir())
    counts = sum(np.bincount(np.asarray(Image.open(each)).ravel(), minlength=3) for each in labels)
    assert len(labels) == 16
    constant = summary["constant_predictor_miou"]
    assert constant == pytest.approx(counts.max() / counts.sum() / 3)
    for role in ("teacher", "student"):
        assert list(summary[role]["per_class"]) == ["grass", "path", "ball"]
        assert constant < summary[role]["miou"] < 1
        assert summary[role]["fps"] > 0


def assert_answer(folder: pathlib.Path) -> None:
    """The request is the client's; its answer, and the served model, are the Keras network's."""
    request = read_json(folder / "request.json")
    images = np.array(request["instances"], np.uint8)
    network = load_network(folder / "run" / "student" / "network.keras")
    model = network.without_auxiliary_heads()
    expected = KerasRunner(model, network.mean, network.std)(images)
    assert len(np.unique(expected)) > 1

    answer = (folder / "answer.json").read_bytes()
    with model_server(Answer(200, answer)) as server, RestClient(server.address, "yard") as client:
        np.testing.assert_array_equal(client(images), expected)
    assert json.loads(server.received[0].body) == request

    (version,) = (folder / "models" / "yard").iterdir()
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    class_ids = served(images=tf.constant(images))["class_ids"].numpy()
    np.testing.assert_array_equal(class_ids, expected)
