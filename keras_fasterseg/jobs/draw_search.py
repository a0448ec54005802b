"""Job: draw pictures of a run: its search, trainings and networks."""

import contextlib
import csv
import dataclasses
import math
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_fasterseg.files import PathLike, read_json, write_text
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.reports import search_records
from keras_fasterseg.reports.draw_architecture import draw_architecture
from keras_fasterseg.reports.search_page import search_facts, search_page
from keras_fasterseg.run.names import (
    CANDIDATES,
    COMPARISON,
    CONTESTANTS,
    LATENCY_TABLE,
    LOG,
    SUMMARY,
)
from keras_fasterseg.spaces.registry import load_genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.visualization.card import save_figure
from keras_fasterseg.visualization.search_curves import search_figure
from keras_fasterseg.visualization.trade_off import TradeOff, candidates_figure, networks_figure
from keras_fasterseg.visualization.training_curves import TrainingCurve, training_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"


@dataclasses.dataclass(frozen=True)
class DrawnSearch:
    """Pictures that were drawn, and pictures left out.

    Attributes:
        written: The files of the pictures.
        left_out: A sentence for every picture for which the run has no data.
    """

    written: tuple[pathlib.Path, ...]
    left_out: tuple[str, ...]


def draw_search(
    workdir: PathLike,
    output: PathLike,
    suffix: str = ".svg",
    page: bool = False,
    compare: Sequence[PathLike] = (),
) -> DrawnSearch:
    """Draws the pictures of a run, or of its copy in a folder such as `docs/results`.

    Writes to the folder `output`: `search` (frame rates in their band, λ, entropies), `candidates`
    (their accuracy against frame rate), `training` (losses, mIoU), `networks` (measured frame rate
    and mIoU at the end), `teacher` and `student` (the networks).

    Args:
        workdir: Folder of the run, whose search may still be running.
        output: Folder for the pictures; existing pictures are replaced.
        suffix: `.svg` or `.png`.
        page: Whether to write `report.html` too, a page with all pictures and tables.
        compare: Further runs, with other strategies or seeds, to compare in the page.

    Raises:
        FileNotFoundError: The run has nothing to draw.
        ValueError: A file is incomplete; the message names it.
        OSError: A file cannot be written.
    """
    run = pathlib.Path(workdir)
    figures, left_out = _figures(run)
    if not figures:
        raise FileNotFoundError(
            f"{run} has nothing to draw; give the workdir of a search or a training."
        )
    written = []
    for name, figure in figures.items():
        written.append(pathlib.Path(output) / f"{name}{suffix}")
        save_figure(figure, written[-1])
    if page or compare:
        written.append(pathlib.Path(output) / PAGE)
        write_page(run, written[-1], compare, figures)
    return DrawnSearch(tuple(written), tuple(left_out))


def write_page(
    workdir: PathLike,
    path: PathLike,
    compare: Sequence[PathLike] = (),
    figures: "Mapping[str, Figure] | None" = None,
) -> None:
    """Writes the page of a run with a finished search; see `search_page`.

    Args:
        workdir: Folder of the run.
        path: The HTML file.
        compare: Further runs to compare with.
        figures: Pictures by name. Default: all are drawn.

    Raises:
        FileNotFoundError: A run has no finished search.
        ValueError: A file is incomplete.
        OSError: The file cannot be written.
    """
    run = pathlib.Path(workdir)
    figures = _figures(run)[0] if figures is None else figures
    pictures = {}
    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        for name, figure in figures.items():
            file = pathlib.Path(folder) / f"{name}.svg"
            save_figure(figure, file)
            pictures[name] = file.read_bytes()
    with _whole(run / "search"):
        page = search_page(run, pictures, [pathlib.Path(each) for each in compare])
    write_text(path, page)


def _figures(run: pathlib.Path) -> "tuple[dict[str, Figure], list[str]]":
    """Pictures by name, and a sentence for every picture for which the run has no data."""
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
            figures[name] = make(run)
        except FileNotFoundError as error:
            left_out.append(f"{name} is left out: {error}")
    return figures, left_out


def _search(run: pathlib.Path) -> "Figure":
    with _records(run) as records:
        curves = search_records.search_curves(records)
    return search_figure(curves, f"{run.name}: the search")


def _candidates(run: pathlib.Path) -> "Figure":
    title = f"{run.name}: the student's candidates"
    path = run / "search" / CANDIDATES
    if path.is_file():
        scored, student = read_json(path), read_json(run / "search" / f"{STUDENT}.json")
        with _whole(path):
            points = search_records.scored_networks(scored)
            band = search_facts(run).band
            chosen = points.get(student["id"])
        found = {"scored networks": list(points.values())}
        return candidates_figure(found, chosen, band, title)
    with _records(run) as records:
        found = search_records.candidates(records)
        chosen = search_records.chosen(records)
        band = search_records.band(records)
    return candidates_figure(
        {f"{name}, every epoch": points for name, points in found.items()}, chosen, band, title
    )


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
