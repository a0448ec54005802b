import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tools.maintenance.run_notebook import run_notebook


def write(folder, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / "short.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_runs_in_the_notebooks_folder_and_returns_what_it_printed(tmp_path):
    (tmp_path / "page").mkdir()
    path = write(tmp_path / "page", "import pathlib", "print(pathlib.Path.cwd().name)")
    before = path.read_bytes()
    notebook = nbformat.reads(run_notebook(path), as_version=4)
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert [each.text for each in notebook.cells[1].outputs] == ["page\n"]
    assert path.read_bytes() == before


def test_records_neither_times_nor_the_kernel(tmp_path):
    notebook = nbformat.reads(run_notebook(write(tmp_path, "1")), as_version=4)
    assert notebook.cells[0].metadata == {}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}


def test_a_failing_cell_ends_it(tmp_path):
    path = write(tmp_path, "raise RuntimeError('the command failed')", "open('later', 'w')")
    with pytest.raises(CellExecutionError, match="the command failed"):
        run_notebook(path)
    assert not (tmp_path / "later").exists()
