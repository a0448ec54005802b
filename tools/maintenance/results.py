"""Writes the tables of results between two lines of a document, from the files of finished runs."""

from tools import command  # isort: skip

import pathlib
from collections.abc import Callable, Sequence

from absl import flags

from keras_fasterseg.files import PathLike, atomic_path, write_text

RUNS = flags.DEFINE_list(
    "runs",
    [],
    "Workdirs of runs, comma separated: their comparison.json, or else their summary.json.",
)
BENCHMARKS = flags.DEFINE_list("benchmarks", [], "Files that tools.benchmark wrote.")
TABLES = flags.DEFINE_list("tables", [], "Workdirs with a latency table that was verified.")
SEARCHES = flags.DEFINE_list("searches", [], "Workdirs of searches, side by side.")
EXPORTS = flags.DEFINE_list("exports", [], "Folders of exports, with their proofs.")
RECORD = flags.DEFINE_string(
    "record",
    None,
    "Folder to copy the results to; the document is then written from there. Names must differ.",
)
README = flags.DEFINE_string(
    "readme",
    "README.md",
    "The document, with the lines <!-- results: begin --> and <!-- results: end -->.",
)

BEGIN = "<!-- results: begin -->"
END = "<!-- results: end -->"

RECORDED = (
    *("summary.json", "comparison.json", "benchmark/student.json"),
    *(f"search/{name}.json" for name in ("search", "student", "teacher", "stage")),
    "search/latency_table.json",
    *(f"{stage}/log.csv" for stage in ("teacher", "student", "student_alone", "published_student")),
    *(f"latency/{name}.json" for name in ("latency_table", "verification", "stage")),
    *("manifest.json", "assets.extra/metadata.json"),
)
"""Files of a run or an export that its tables and pictures are made of."""


def main() -> None:
    sources = [flag.value for flag in (RUNS, BENCHMARKS, TABLES, SEARCHES, EXPORTS)]
    if RECORD.value is not None:
        sources = [[record(each, RECORD.value) for each in kind] for kind in sources]
    print(update_document(README.value, *sources))
    print(f"\nWritten into {README.value}")


def update_document(
    document: PathLike,
    runs: Sequence[PathLike],
    benchmarks: Sequence[PathLike] = (),
    tables: Sequence[PathLike] = (),
    searches: Sequence[PathLike] = (),
    exports: Sequence[PathLike] = (),
) -> str:
    """Writes results between the two markers of `document` and returns them.

    Args:
        document: The document.
        runs: Folders of finished runs, each with tables of its own.
        benchmarks: Files of `tools.benchmark`, each with a table of its own.
        tables: Folders of runs with a verified latency table; they share one table of results.
        searches: Folders of runs with a search; likewise.
        exports: Folders of exports; likewise.

    Raises:
        FileNotFoundError: The document, or results, are not there.
        ValueError: There is nothing to show, a file of results is not whole, or the document has
            not its two markers.
    """
    from tools.maintenance import export_table, run_table, search_table, speed_table

    path = pathlib.Path(document)
    if not path.is_file():
        raise FileNotFoundError(f"There is no document {path} to write results into.")
    parts = [
        *(_shown(run_table.run_markdown, run) for run in runs),
        *(_shown(speed_table.benchmark_markdown, file) for file in benchmarks),
        *([_shown(speed_table.verification_markdown, tables)] if tables else []),
        *([_shown(search_table.search_markdown, searches, benchmarks)] if searches else []),
        *([_shown(export_table.export_markdown, exports, benchmarks)] if exports else []),
    ]
    if not parts:
        raise ValueError("There is no run to show; name at least one workdir.")
    results = "\n\n".join(parts)
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    if f"{before}{BEGIN}{inside}{END}{after}" != text or text.count(BEGIN) * text.count(END) != 1:
        raise ValueError(
            f"{path} must hold the lines {BEGIN} and {END} once each, in that order; "
            "put them where the results shall stand."
        )
    write_text(path, f"{before}{BEGIN}\n{results}\n{END}{after}")
    return results


def record(path: PathLike, folder: PathLike) -> pathlib.Path:
    """Copies the files that results are made of to `folder`, to be kept beside the document.

    Args:
        path: Folder of a run or an export, or a file of `tools.benchmark`.
        folder: Where to copy it to, under its own name; what is there is replaced.

    Returns:
        The copy, which stands for `path` in `update_document`.

    Raises:
        FileNotFoundError: There is no such folder or file, or it has no results.
    """
    path = pathlib.Path(path)
    target = pathlib.Path(folder) / path.name
    if path.resolve() == target.resolve():
        return target
    if path.is_file():
        write_text(target, path.read_text(encoding="utf-8"))
        return target
    files = [name for name in RECORDED if (path / name).is_file()]
    if not files:
        raise FileNotFoundError(f"{path} holds no results of a run or an export.")
    with atomic_path(target) as temporary:
        for name in files:
            write_text(temporary / name, (path / name).read_text(encoding="utf-8"))
    return target


def _shown(markdown: Callable[..., str], *sources: PathLike | Sequence[PathLike]) -> str:
    try:
        return markdown(*sources)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{sources[0]} has not the form of results ({error!r}); write it anew with the tool "
            "that made it or leave it out."
        ) from error


if __name__ == "__main__":
    command.run(main)
