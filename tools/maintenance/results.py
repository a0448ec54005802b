"""Writes result tables of finished runs between two marker lines of a document."""

from tools import command  # isort: skip

import pathlib
from collections.abc import Callable, Sequence

from absl import flags

from keras_fasterseg.files import PathLike, atomic_path, write_text

RUNS = flags.DEFINE_list(
    "runs",
    [],
    "Workdirs of finished runs, comma separated. comparison.json is used if present, otherwise "
    "summary.json.",
)
BENCHMARKS = flags.DEFINE_list("benchmarks", [], "Result files of tools.benchmark.")
TABLES = flags.DEFINE_list("tables", [], "Workdirs with a verified latency table.")
SEARCHES = flags.DEFINE_list("searches", [], "Workdirs of searches to show side by side.")
SHRINKING = flags.DEFINE_list(
    "shrinking", [], "Workdirs of searches that prune, to show side by side."
)
RECIPES = flags.DEFINE_list("recipes", [], "Files ablation.json of tools.maintenance.ablation.")
RANKINGS = flags.DEFINE_list("rankings", [], "Files ranking.json of tools.maintenance.ranking.")
STEPS = flags.DEFINE_list(
    "steps", [], "Result files of tools.benchmarks.supernet_step, to show side by side."
)
COMMUNICATION = flags.DEFINE_list(
    "communication", [], "Result files of tools.benchmarks.communication, to show side by side."
)
EXPORTS = flags.DEFINE_list("exports", [], "Folders of exports with proofs.")
VIDEOS = flags.DEFINE_list("videos", [], "Result files of tools.benchmarks.video_objects.")
RECORD = flags.DEFINE_string(
    "record",
    None,
    "Folder that keeps copies of the results. The document is generated from these copies. "
    "Runs, searches and other sources must have different names.",
)
DOCUMENT = flags.DEFINE_string(
    "document",
    "docs/results.md",
    "Document to update. It must contain the lines <!-- results: begin --> and "
    "<!-- results: end -->.",
)

_KINDS = (
    *(RUNS, BENCHMARKS, TABLES, SEARCHES, EXPORTS, SHRINKING, RECIPES, RANKINGS, STEPS),
    *(COMMUNICATION, VIDEOS),
)

BEGIN = "<!-- results: begin -->"
END = "<!-- results: end -->"

RECORDED = (
    *("summary.json", "comparison.json", "benchmark/student.json"),
    *(f"search/{name}.json" for name in ("search", "student", "teacher", "stage", "gap")),
    "search/latency_table.json",
    *(f"{stage}/log.csv" for stage in ("teacher", "student", "student_alone", "published_student")),
    *(f"latency/{name}.json" for name in ("latency_table", "verification", "stage")),
    *("manifest.json", "assets.extra/metadata.json"),
)
"""Files of a run or an export that tables and pictures read."""


def main() -> None:
    sources = [flag.value for flag in _KINDS]
    if RECORD.value is not None:
        sources = [[record(each, RECORD.value) for each in kind] for kind in sources]
    print(update_document(DOCUMENT.value, *sources))
    print(f"\nUpdated {DOCUMENT.value}")


def update_document(
    document: PathLike,
    runs: Sequence[PathLike],
    benchmarks: Sequence[PathLike] = (),
    tables: Sequence[PathLike] = (),
    searches: Sequence[PathLike] = (),
    exports: Sequence[PathLike] = (),
    shrinking: Sequence[PathLike] = (),
    recipes: Sequence[PathLike] = (),
    rankings: Sequence[PathLike] = (),
    steps: Sequence[PathLike] = (),
    communication: Sequence[PathLike] = (),
    videos: Sequence[PathLike] = (),
) -> str:
    """Writes results between the two markers of `document` and returns the written text.

    Args:
        document: Markdown file with both markers.
        runs: Workdirs of finished runs. Each gets its own tables.
        benchmarks: Result files of `tools.benchmark`. Each gets its own table.
        tables: Workdirs with a verified latency table. They share one table.
        searches: Workdirs with a finished search. They share one table.
        exports: Folders of exports. They share one table.
        shrinking: Workdirs with a finished search that prunes. They share one table.
        recipes: Result files of `tools.maintenance.ablation`. Each gets its own table.
        rankings: Result files of `tools.maintenance.ranking`. Each gets its own table.
        steps: Result files of `tools.benchmarks.supernet_step`. They share one table.
        communication: Result files of `tools.benchmarks.communication`. They share tables.
        videos: Result files of `tools.benchmarks.video_objects`. Each gets its own tables.

    Raises:
        FileNotFoundError: The document or a results file does not exist.
        ValueError: No source is given, a results file is incomplete, or a marker is missing.
    """
    from tools.maintenance import (
        comparison_table,
        export_table,
        run_table,
        scaling_table,
        search_table,
        shrinking_table,
        speed_table,
        step_table,
        video_table,
    )

    path = pathlib.Path(document)
    if not path.is_file():
        raise FileNotFoundError(f"The document {path} does not exist.")
    parts = [
        *(_shown(run_table.run_markdown, run) for run in runs),
        *(_shown(speed_table.benchmark_markdown, file) for file in benchmarks),
        *([_shown(speed_table.verification_markdown, tables)] if tables else []),
        *([_shown(search_table.search_markdown, searches, benchmarks)] if searches else []),
        *([_shown(shrinking_table.shrinking_markdown, shrinking)] if shrinking else []),
        *(_shown(comparison_table.ablation_markdown, file) for file in recipes),
        *(_shown(comparison_table.ranking_markdown, file) for file in rankings),
        *([_shown(step_table.step_markdown, steps)] if steps else []),
        *([_shown(scaling_table.scaling_markdown, communication)] if communication else []),
        *([_shown(export_table.export_markdown, exports, benchmarks)] if exports else []),
        *(_shown(video_table.video_markdown, file) for file in videos),
    ]
    if not parts:
        raise ValueError("There are no results to show. Name at least one run.")
    results = "\n\n".join(parts)
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    if f"{before}{BEGIN}{inside}{END}{after}" != text or text.count(BEGIN) * text.count(END) != 1:
        raise ValueError(
            f"{path} must contain the lines {BEGIN} and {END} once each, in this order. "
            "Add them where the results belong."
        )
    write_text(path, f"{before}{BEGIN}\n{results}\n{END}{after}")
    return results


def record(path: PathLike, folder: PathLike) -> pathlib.Path:
    """Copies the files that tables and pictures read into `folder`.

    Args:
        path: Workdir, folder of an export, or result file of `tools.benchmark`.
        folder: Target folder. The copy keeps its name and replaces an older copy.

    Returns:
        The copy. `update_document` accepts it in place of `path`.

    Raises:
        FileNotFoundError: `path` does not exist or contains no results.
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
        raise FileNotFoundError(f"{path} contains no results of a run or an export.")
    with atomic_path(target) as temporary:
        for name in files:
            write_text(temporary / name, (path / name).read_text(encoding="utf-8"))
    return target


def _shown(markdown: Callable[..., str], *sources: PathLike | Sequence[PathLike]) -> str:
    try:
        return markdown(*sources)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{sources[0]} is not a valid results file ({error!r}). Regenerate it with the tool "
            "that wrote it, or leave it out."
        ) from error


if __name__ == "__main__":
    command.run(main)
