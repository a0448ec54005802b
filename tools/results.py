"""Writes the tables of results between the two markers of a document, of what runs have left."""

from tools import command  # isort: skip

from absl import flags

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


def main() -> None:
    from keras_fasterseg.pipelines import results

    sources = [flag.value for flag in (RUNS, BENCHMARKS, TABLES, SEARCHES, EXPORTS)]
    if RECORD.value is not None:
        sources = [[results.record(each, RECORD.value) for each in kind] for kind in sources]
    print(results.update_document(README.value, *sources))
    print(f"\nWritten into {README.value}")


if __name__ == "__main__":
    command.run(main)
