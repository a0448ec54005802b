"""Runs a notebook from its first cell to its last and stores the outputs in it."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from keras_fasterseg.files import PathLike, write_text

NOTEBOOK = flags.DEFINE_string(
    "notebook", "docs/tutorial.ipynb", "The notebook, which is replaced; needs the extra `dev`."
)


def main() -> None:
    path = pathlib.Path(NOTEBOOK.value)
    write_text(path, run_notebook(path))
    print(f"Ran {path}")


def run_notebook(path: PathLike) -> str:
    """Runs a notebook in its own folder and returns it with its outputs, as JSON.

    Nothing of the machine is recorded but what the cells print: times and the name of the kernel
    are left out.

    Raises:
        FileNotFoundError: There is no such notebook.
        nbclient.exceptions.CellExecutionError: A cell failed; the cells after it were not run.
    """
    import nbclient
    import nbformat

    path = pathlib.Path(path)
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    nbclient.NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return nbformat.writes(notebook) + "\n"


if __name__ == "__main__":
    command.run(main)
