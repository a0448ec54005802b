"""Job: draw pictures of a run: its search, trainings and networks."""

import contextlib
import csv
import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.reports import search_records
from keras_fasterseg.reports.draw_architecture import draw_architecture
from keras_fasterseg.run.names import COMPARISON, CONTESTANTS, LATENCY_TABLE, LOG, SUMMARY
from keras_fasterseg.spaces.registry import load_genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.visualization.card import save_figure
from keras_fasterseg.visualization.search_curves import search_figure
from keras_fasterseg.visualization.trade_off import TradeOff, candidates_figure, networks_figure
from keras_fasterseg.visualization.training_curves import TrainingCurve, training_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class DrawnSearch:
    """Pictures that were drawn, and pictures left out.

    Attributes:
        written: The files of the pictures.
        left_out: A sentence for every picture for which the run has no data.
    """

    written: tuple[pathlib.Path, ...]
    left_out: tuple[str, ...]


def draw_search(workdir: PathLike, output: PathLike, suffix: str = ".svg") -> DrawnSearch:
    """Draws the pictures of a run, or of its copy in a folder such as `docs/results`.

    Writes to the folder `output`: `search` (frame rates in their band, λ, entropies), `candidates`
    (their accuracy against frame rate), `training` (losses, mIoU), `networks` (measured frame rate
    and mIoU at the end), `teacher` and `student` (the networks).

    Args:
        workdir: Folder of the run, whose search may still be running.
        output: Folder for the pictures; existing pictures are replaced.
        suffix: `.svg` or `.png`.

    Raises:
        FileNotFoundError: The run has nothing to draw.
        ValueError: A file is incomplete; the message names it.
        OSError: A file cannot be written.
    """
    run = pathlib.Path(workdir)
    makers: dict[str, Callable[[pathlib.Path], Figure]] = {
        "search": _search,
        "candidates": _candidates,
        "training": _training,
        "networks": _networks,
        TEACHER: lambda run: _architecture(run, TEACHER),
        STUDENT: lambda run: _architecture(run, STUDENT),
    }
    figures, left_out = {}, []
    for name, make in makers.items():
        try:
            figures[pathlib.Path(output) / f"{name}{suffix}"] = make(run)
        except FileNotFoundError as error:
            left_out.append(f"{name} is left out: {error}")
    if not figures:
        raise FileNotFoundError(
            f"{run} has nothing to draw; give the workdir of a search or a training."
        )
    for path, figure in figures.items():
        save_figure(figure, path)
    return DrawnSearch(tuple(figures), tuple(left_out))


def _search(run: pathlib.Path) -> "Figure":
    with _records(run) as records:
        curves = search_records.search_curves(records)
    return search_figure(curves, f"{run.name}: the search")


def _candidates(run: pathlib.Path) -> "Figure":
    with _records(run) as records:
        found = search_records.candidates(records)
        chosen = search_records.chosen(records)
        band = search_records.band(records)
    return candidates_figure(found, chosen, band, f"{run.name}: the student's candidates")


def _training(run: pathlib.Path) -> "Figure":
    curves = [
        read_curve(
            run / each.stage / LOG, f"{each.name}, distilled" if each.distilled else each.name
        )
        for each in CONTESTANTS
        if (run / each.stage / LOG).is_file()
    ]
    if not curves:
        raise FileNotFoundError(f"{run} has no {LOG} of a training.")
    return training_figure(curves, f"{run.name}: training")


def read_curve(log: pathlib.Path, name: str) -> TrainingCurve:
    """Curves from a training's `log.csv`, for the network `name`.

    Raises:
        ValueError: The file is incomplete; the message names it.
    """
    losses, mious = [], []
    with _whole(log), open(log, newline="", encoding="utf-8") as file:
        for epoch, row in enumerate(csv.DictReader(file), start=1):
            losses.append(float(row["loss"]))
            # Epochs without an evaluation have no value; earlier versions repeated the last.
            miou = float(row["val_miou"] or math.nan)
            if not math.isnan(miou) and (not mious or mious[-1][1] != miou):
                mious.append((epoch, miou))
    return TrainingCurve(name, losses, mious)


def _networks(run: pathlib.Path) -> "Figure":
    # A comparison includes the rows of the summary.
    path = run / (COMPARISON if (run / COMPARISON).is_file() else SUMMARY)
    value = read_json(path)
    with _whole(path):
        if path.name == SUMMARY:
            rows = [{"name": role, **value[role]} for role in (TEACHER, STUDENT) if role in value]
            value = {**value[STUDENT], "rows": rows}
        networks = [
            (
                row["name"] + ", distilled" * row.get("distilled", False),
                TradeOff(row["fps"], row["miou"]),
            )
            for row in value["rows"]
            if row["fps"] is not None and row["miou"] is not None
        ]
        height, width = value["input_size"]
    band = None
    with contextlib.suppress(FileNotFoundError), _records(run) as records:
        band = search_records.band(records)
    return networks_figure(networks, f"{run.name}: trained networks at {height}x{width}", band)


def _architecture(run: pathlib.Path, role: str) -> "Figure":
    folder = run / "search"
    # An unfinished search has only the networks of its epochs.
    paths = [folder / f"{role}.json", *sorted(folder.glob(f"epoch_*/{role}.json"), reverse=True)]
    path = next((path for path in paths if path.is_file()), paths[0])
    genotype = load_genotype(path)
    table = LatencyTable.load(folder / LATENCY_TABLE)
    stage = folder / "stage.json"
    settings = read_json(stage)
    with _whole(stage):
        num_classes = int(settings["settings"]["num_classes"])
    return draw_architecture(
        genotype,
        table.metadata.input_size,
        num_classes,
        # The table has the stem and heads of the student only.
        table=table if role == STUDENT else None,
        name=f"{run.name}: {role}",
    )


@contextlib.contextmanager
def _records(run: pathlib.Path) -> Iterator[list[dict[str, Any]]]:
    path = run / "search" / "search.json"
    records = read_json(path)
    with _whole(path):
        yield records


@contextlib.contextmanager
def _whole(path: pathlib.Path) -> Iterator[None]:
    """Raises `ValueError` with the name of the file if its content is missing or wrong."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be drawn ({error!r}); restore it, or write it again with the tool that "
            "created it."
        ) from error
