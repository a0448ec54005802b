"""Tables of searches that prune their choices, side by side."""

import itertools
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.spaces.roles import STUDENT
from tools.maintenance.markdown import details, table

_LEFT = "choices_left_"
_FOUND = (
    *("search", "band", "predicted FPS", "networks left", "entropy at the end"),
    *("supernet mIoU %", "one-hot mIoU %"),
)


def shrinking_markdown(workdirs: Sequence[PathLike]) -> str:
    """Results of the searches in `workdirs`, then the choices left and entropies of every epoch.

    Raises:
        FileNotFoundError: A workdir has no finished search.
        KeyError: A search did not prune.
    """
    searches = [_Search(workdir) for workdir in workdirs]
    headers = ["epoch"]
    for search in searches:
        families = ", ".join(search.families)
        headers += [
            f"{search.name}: choices left ({families})",
            "entropies",
            "predicted FPS",
            "λ",
        ]
    epochs = max(len(search.records) for search in searches)
    rows = [
        [str(epoch + 1), *itertools.chain(*(search.epoch(epoch) for search in searches))]
        for epoch in range(epochs)
    ]
    parts = [
        "### Searches that prune",
        table([search.found() for search in searches], _FOUND),
        "Networks left: of the space, after the last epoch. mIoU of the supernet with all choices "
        "left, and with the likeliest only (one-hot): their difference is the discretisation gap.",
        details("Every epoch", table(rows, headers)),
    ]
    return "\n\n".join(parts)


class _Search:
    """One finished search."""

    def __init__(self, workdir: PathLike):
        folder = pathlib.Path(workdir) / "search"
        self.name = pathlib.Path(workdir).name
        self.records: list[dict[str, Any]] = read_json(folder / "search.json")
        self.gap: dict[str, float] = read_json(folder / "gap.json")[STUDENT]
        self.families = [
            name.removeprefix(_LEFT) for name in self.records[0] if name.startswith(_LEFT)
        ]

    def epoch(self, index: int) -> list[str]:
        """Choices left, entropies, predicted FPS and λ; empty after the last epoch."""
        if index >= len(self.records):
            return [""] * 4
        record = self.records[index]
        entropies = record[STUDENT]["entropy"]
        return [
            ", ".join(f"{record[_LEFT + family]:.0f}" for family in self.families),
            ", ".join(
                f"{entropies[family]:.2f}" for family in self.families if family in entropies
            ),
            _predicted(record),
            f"{record['penalty_weight']:g}",
        ]

    def found(self) -> list[str]:
        """The student of the last epoch."""
        last = self.records[-1]
        low, high = last["fps_band"]
        entropies = last[STUDENT]["entropy"].items()
        return [
            self.name,
            f"{low:g} to {high:g}",
            _predicted(last),
            f"10^{last['log10_networks_left']:.1f}",
            ", ".join(f"{family} {value:.2f}" for family, value in entropies),
            f"{100 * self.gap['supernet_miou']:.2f}",
            f"{100 * self.gap['one_hot_miou']:.2f}",
        ]


def _predicted(record: dict[str, Any]) -> str:
    return ", ".join(map(fps_text, record[STUDENT]["fps_predicted"].values()))
