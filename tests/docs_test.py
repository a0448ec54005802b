"""Every python block of README.md and docs/*.md runs, unless it says directly above why not.

The blocks of one document run in its order and in one folder, each in a namespace of its own. A
block that cannot run has `<!-- not run: reason -->` on the line above its fence.
"""

import dataclasses
import pathlib
import re

import pytest

from keras_fasterseg.data.dataset_file import read_dataset_file
from keras_fasterseg.export.saved_model import export_saved_model
from tests.shared import ROOT
from tests.stand_in import MEAN, NUM_CLASSES, STD, segmentation_network

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_FENCE = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: .*\S -->\n\Z")
# The artefact of `make demo`, which a document may take for granted.
DEMO_EXPORT = "runs/demo/export/student/1"


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block and the line of its document on which its code begins."""

    code: str
    line: int


def python_blocks(text: str) -> list[Block]:
    """The python blocks to run, in order."""
    return [
        Block(match["code"], text.count("\n", 0, match.start("code")) + 1)
        for match in _FENCE.finditer(text)
        if not _NOT_RUN.search(text[: match.start()])
    ]


def run_block(block: Block, document: pathlib.Path) -> None:
    # Led by empty lines, a failure names the line of the document.
    source = "\n" * (block.line - 1) + block.code
    exec(compile(source, str(document), "exec"), {"__name__": "__main__"})


def documents_with_blocks() -> list[pathlib.Path]:
    return [path for path in DOCUMENTS if python_blocks(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "document", documents_with_blocks(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_its_python_blocks_run(document, tmp_path, monkeypatch):
    text = document.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    if DEMO_EXPORT in text:
        model = segmentation_network()
        export_saved_model(model, DEMO_EXPORT, num_classes=NUM_CLASSES, mean=MEAN, std=STD)
    for block in python_blocks(text):
        run_block(block, document)


def test_files_of_data_sets_are_as_they_are_read(tmp_path):
    text = (ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        (tmp_path / "dataset.yaml").write_text(block, encoding="utf-8")
        assert "ball" in read_dataset_file(tmp_path / "dataset.yaml").class_names


def test_the_documents_that_are_known_to_have_blocks_are_found():
    names = {path.relative_to(ROOT).as_posix() for path in documents_with_blocks()}
    assert {"README.md", "docs/library.md"} <= names


def test_blocks_are_found_with_their_lines_and_without_those_that_are_not_run():
    text = (
        "# A\n```python\na = 1\nb = 2\n```\n\n"
        "<!-- not run: needs a GPU -->\n```python\n1 / 0\n```\n"
        "```\nnot python\n```\n<!-- not run: too far above -->\n\n```python\nc = 3\n```\n"
    )
    assert python_blocks(text) == [Block("a = 1\nb = 2\n", 3), Block("c = 3\n", 17)]


def test_a_failing_block_fails_and_names_its_line(tmp_path):
    document = tmp_path / "wrong.md"
    text = "# A\n\n```python\na = 1\nassert a == 2\n```\n"
    with pytest.raises(AssertionError) as failure:
        run_block(python_blocks(text)[0], document)
    last = failure.traceback[-1]
    assert (pathlib.Path(last.path), last.lineno + 1) == (document, 5)
