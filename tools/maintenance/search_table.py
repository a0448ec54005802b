"""Tables of searches: the predictions of every epoch and the resulting networks."""

import collections
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_fasterseg.benchmark.comparison import read_measurements
from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.reports.search_records import chosen_prediction
from keras_fasterseg.spaces.registry import load_genotype
from tools.maintenance.markdown import table

_FOUND = (
    *("search", "band", "penalty", "predicted FPS", "measured FPS", "cells"),
    *("mean width", "operations", "supernet mIoU %"),
)


def search_markdown(workdirs: Sequence[PathLike], benchmarks: Sequence[PathLike] = ()) -> str:
    """Resulting networks of the searches in `workdirs`, then predicted FPS and λ of every epoch.

    Args:
        workdirs: Workdirs with a finished search.
        benchmarks: Result files of `tools.benchmark`. A student measured there, at the size and on
            the runtime of its search's latency table, is shown with its frame rate.

    Raises:
        FileNotFoundError: A workdir has no finished search, or a file does not exist.
        ValueError: A file is incomplete.
    """
    searches = [_Search(workdir) for workdir in workdirs]
    measured = [row for path in benchmarks for row in read_measurements(path)]
    headers = ["epoch"]
    for search in searches:
        headers += [f"{search.name}: predicted FPS", "λ"]
    epochs = max(len(search.records) for search in searches)
    rows = [
        [str(epoch + 1), *(cell for search in searches for cell in search.epoch(epoch))]
        for epoch in range(epochs)
    ]
    parts = [
        "### Searches from one supernet",
        table([search.found(measured) for search in searches], _FOUND),
        f"Predicted and measured: {'; '.join(dict.fromkeys(each.where for each in searches))}. "
        "Mean width: mean width multiplier of the cells.",
        f"<details><summary>Every epoch</summary>\n\n{table(rows, headers)}\n\nEach epoch "
        "has two candidates: branches 1/8 and 1/32, then 1/16 and 1/32. λ is the value used in the "
        "next epoch.\n\n</details>",
    ]
    return "\n\n".join(parts)


class _Search:
    """One finished search."""

    def __init__(self, workdir: PathLike):
        folder = pathlib.Path(workdir) / "search"
        self.name = pathlib.Path(workdir).name
        self.records = read_json(folder / "search.json")
        # A genotype of `fasterseg`, the only space whose genotypes have cells in branches.
        self.student: Any = load_genotype(folder / "student.json")
        self.table = LatencyTable.load(folder / "latency_table.json").metadata
        self.penalty = read_json(folder / "stage.json")["settings"]["search"]["penalty_shares"]

    @property
    def where(self) -> str:
        """Runtime, size and device of the latency table."""
        fingerprint = self.table.fingerprint
        return (
            f"{fingerprint.runtime} {fingerprint.runtime_version}, "
            f"{'x'.join(map(str, self.table.input_size))}, {fingerprint.threads} threads of "
            f"{fingerprint.device}"
        )

    def epoch(self, index: int) -> list[str]:
        """Predicted frame rates and λ; empty after the last epoch."""
        if index >= len(self.records):
            return ["", ""]
        record = self.records[index]
        predicted = record["student"]["fps_predicted"].values()
        return [", ".join(map(fps_text, predicted)), f"{record['penalty_weight']:g}"]

    def found(self, measured: Sequence[Mapping[str, Any]]) -> list[str]:
        """The student of the last epoch."""
        last = self.records[-1]
        student, (low, high) = last["student"], last["fps_band"]
        scales = [branch.scale for branch in self.student.branches]
        prediction = chosen_prediction({"branches": scales, **student})
        cells = [cell for branch in self.student.branches for cell in branch.cells]
        counts = collections.Counter(cell.primitive for cell in cells)
        fps = [row["fps"] for row in measured if self._is_student(row)]
        return [
            self.name,
            f"{low:g} to {high:g}",
            self.penalty,
            fps_text(student["fps_predicted"][prediction]),
            ", ".join(map(fps_text, fps)),
            str(len(cells)),
            f"{sum(cell.width for cell in cells) / len(cells):.2f}",
            ", ".join(f"{name} {counts[name]}" for name in PRIMITIVES if counts[name]),
            f"{100 * student['supernet_miou'][prediction]:.1f}",
        ]

    def _is_student(self, row: Mapping[str, Any]) -> bool:
        """True if the row measures the student under the conditions of the latency table."""
        runner, fingerprint = row["runner"], self.table.fingerprint
        return (
            runner.get("genotype") == self.student.id
            and runner.get("runtime") == fingerprint.runtime
            and runner.get("threads") == fingerprint.threads
            and tuple(row["input_size"]) == self.table.input_size
        )
