"""A search as one self-contained HTML page, for readers who did not run it."""

import base64
import dataclasses
import html
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_fasterseg.files import read_json
from keras_fasterseg.run.names import EVALUATION, RECORD
from keras_fasterseg.settings.search import GRADIENT
from keras_fasterseg.spaces.roles import STUDENT

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #24292f; max-width: 960px; margin: 2em auto;
  padding: 0 1em; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2em; }
table { border-collapse: collapse; font-size: 14px; display: block; overflow-x: auto; }
th, td { border: 1px solid #d0d7de; padding: .25em .7em; text-align: left; }
th { background: #f6f8fa; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } code { background: #f6f8fa; padding: .1em .3em; }
tr.chosen { font-weight: bold; } details { margin: 1em 0; }
"""

_PICTURES = {
    "search": (
        "The search, epoch by epoch",
        "Predicted frame rates should enter the band (green) and stay. An entropy of 1 means that "
        "all choices are equally likely, 0 that all are certain. Dotted lines are the entropies "
        "that noise alone would give at the same learning rate and steps: a search whose lines are "
        "not below them has not learnt from the images.",
    ),
    "candidates": (
        "Candidates",
        "Accuracy with inherited weights (a score, far below the accuracy after training) against "
        "predicted frame rate. No other candidate beats those on the dashed line in both.",
    ),
    "student": ("The student", "Cells in execution order; rows are scales."),
    "teacher": ("The teacher", "Trained only to teach the student; its speed does not matter."),
    "training": ("Training", "Losses and mIoU on the validation split."),
    "networks": ("Trained networks", "Measured frame rate and mIoU after training."),
}


@dataclasses.dataclass(frozen=True)
class SearchFacts:
    """Facts about a search, and about the training of its student if there was one.

    Attributes:
        name: Name of the run.
        settings: Recorded settings of the search's stage.
        minutes: Minutes that the search took.
        student: Id of the student.
        score: mIoU of the student with inherited weights, if it was scored.
        fps_predicted: Its predicted frame rate, if it was scored.
        miou: mIoU of the trained student on the validation split, if it was trained.
        fps: Its measured frame rate, if it was measured.
    """

    name: str
    settings: Mapping[str, Any]
    minutes: float
    student: str
    score: float | None
    fps_predicted: float | None
    miou: float | None
    fps: float | None

    @property
    def strategy(self) -> str:
        """The strategy; earlier versions only had one."""
        return self.settings["search"].get("strategy", GRADIENT)

    @property
    def band(self) -> tuple[float, float]:
        """Lowest and highest frame rate that the search aimed for."""
        return self.settings["search"]["min_fps"], self.settings["search"]["max_fps"]


def search_facts(run: pathlib.Path) -> SearchFacts:
    """Reads the facts about the search of a run.

    Raises:
        FileNotFoundError: The run has no finished search.
        KeyError: A file is incomplete.
    """
    record = read_json(run / "search" / RECORD)
    student = read_json(run / "search" / f"{STUDENT}.json")["id"]
    chosen = next((each for each in _scored(run) if each["genotype"]["id"] == student), {})
    latency = chosen.get("latency_ms")
    return SearchFacts(
        run.resolve().name,
        record["settings"],
        record["minutes"],
        student,
        chosen.get("miou"),
        None if latency is None else 1000.0 / latency,
        _value(run / STUDENT / EVALUATION, "miou"),
        _value(run / "benchmark" / f"{STUDENT}.json", "fps"),
    )


def search_page(
    run: pathlib.Path, pictures: Mapping[str, bytes], others: Sequence[pathlib.Path] = ()
) -> str:
    """Writes the page of a run with a finished search.

    Args:
        run: Folder of the run.
        pictures: SVG files by name, as drawn by `jobs.draw_search`.
        others: Runs to compare with: other strategies or seeds.

    Raises:
        FileNotFoundError: A run has no finished search.
        KeyError: A file is incomplete.
    """
    facts = search_facts(run)
    parts = [
        f"<h1>Search {_text(facts.name)}</h1>",
        f"<p>{_text(_summary(facts))}</p>",
    ]
    if others:
        parts.append(_comparison([facts, *map(search_facts, others)]))
    for name, (title, text) in _PICTURES.items():
        if name in pictures:
            data = base64.b64encode(pictures[name]).decode()
            parts.append(
                f"<h2>{_text(title)}</h2><p>{_text(text)}</p>"
                f'<img alt="{_text(title)}" src="data:image/svg+xml;base64,{data}">'
            )
    parts += [_ranking(run, facts.student), _gap(run), _settings(facts)]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Search {_text(facts.name)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _summary(facts: SearchFacts) -> str:
    data = facts.settings["data"]
    low, high = facts.band
    sentences = [
        f"Strategy {facts.strategy} on {data['dataset']}, for {low:g} to {high:g} FPS, in "
        f"{facts.minutes:.1f} minutes. It chose the student {facts.student}."
    ]
    if facts.fps_predicted is not None:
        inside = low <= facts.fps_predicted <= high
        sentences.append(
            f"Its predicted frame rate of {facts.fps_predicted:.1f} FPS is "
            f"{'inside' if inside else 'outside'} the band."
        )
    if facts.fps is not None:
        sentences.append(f"The exported network was measured at {facts.fps:.1f} FPS.")
    if facts.miou is None:
        sentences.append("It is not trained yet.")
    else:
        sentences.append(f"Trained, it has an mIoU of {100 * facts.miou:.2f} %.")
    return " ".join(sentences)


def _comparison(runs: Sequence[SearchFacts]) -> str:
    """Mean and spread by strategy, then every run."""
    strategies = dict.fromkeys(each.strategy for each in runs)
    groups = [(name, [each for each in runs if each.strategy == name]) for name in strategies]
    rows = [
        [
            name,
            str(len(group)),
            _mean_and_spread([each.miou for each in group], 100, 2),
            _mean_and_spread([each.fps for each in group], 1, 1),
            _mean_and_spread([each.minutes for each in group], 1, 1),
        ]
        for name, group in groups
    ]
    every = [
        [
            each.name,
            each.strategy,
            str(each.settings["seed"]),
            f"{each.band[0]:g} to {each.band[1]:g}",
            each.student,
            _number(each.score, 100, 2),
            _number(each.fps_predicted, 1, 1),
            _number(each.miou, 100, 2),
            _number(each.fps, 1, 1),
        ]
        for each in runs
    ]
    return (
        "<h2>Strategies</h2><p>Mean ± standard deviation over searches with different seeds. A "
        "difference smaller than the deviations is chance.</p>"
        + _table(["strategy", "searches", "trained mIoU %", "measured FPS", "search minutes"], rows)
        + "<details><summary>Every search</summary>"
        + _table(
            [
                *("run", "strategy", "seed", "band, FPS", "student", "score %"),
                *("predicted FPS", "trained mIoU %", "measured FPS"),
            ],
            every,
        )
        + "</details>"
    )


def _ranking(run: pathlib.Path, student: str) -> str:
    scored = sorted(_scored(run), key=lambda each: -(each["miou"] or 0.0))
    if not scored:
        return ""
    rows = [
        [
            each["genotype"]["id"],
            _number(each["miou"], 100, 2),
            _number(each["latency_ms"] and 1000.0 / each["latency_ms"], 1, 1),
        ]
        for each in scored
    ]
    chosen = [each["genotype"]["id"] == student for each in scored]
    return (
        "<h2>Ranking</h2><p>Networks with inherited weights, on training images to which neither "
        "weights nor architectures were fitted. The chosen one is bold: the best inside the band, "
        "or the nearest to it.</p><details><summary>All scored networks</summary>"
        + _table(["network", "score, mIoU %", "predicted FPS"], rows, chosen)
        + "</details>"
    )


def _gap(run: pathlib.Path) -> str:
    path = run / "search" / "gap.json"
    if not path.is_file():
        return ""
    gap = read_json(path)
    names = {
        "supernet_miou": "supernet, all choices, %",
        "one_hot_miou": "supernet, likeliest choices, %",
        "inherited_miou": "network, %",
    }
    rows = [
        [role, *(_number(scores.get(name), 100, 2) for name in names)]
        for role, scores in gap.items()
    ]
    return (
        "<h2>Discretisation gap</h2><p>mIoU after the last epoch: of the supernet with all its "
        "choices, with only the likeliest, and of the network with inherited weights. If they "
        "differ much, the supernet says little about the network.</p>"
        + _table(["role", *names.values()], rows)
    )


def _settings(facts: SearchFacts) -> str:
    rows = [
        [group, name, str(value)]
        for group, values in facts.settings.items()
        for name, value in (values.items() if isinstance(values, dict) else [("", values)])
    ]
    return (
        "<h2>Settings</h2><details><summary>All settings of the search and of what it used"
        "</summary>" + _table(["stage", "setting", "value"], rows) + "</details>"
    )


def _scored(run: pathlib.Path) -> list[dict[str, Any]]:
    """Scored candidates of the student, whatever the strategy."""
    candidates, ranking = (run / "search" / f"{name}.json" for name in ("candidates", "ranking"))
    if candidates.is_file():
        return [each["candidate"] for each in read_json(candidates)]
    return read_json(ranking)[STUDENT] if ranking.is_file() else []


def _value(path: pathlib.Path, name: str) -> float | None:
    return read_json(path)[name] if path.is_file() else None


def _number(value: float | None, factor: float, digits: int) -> str:
    return "" if value is None else f"{factor * value:.{digits}f}"


def _mean_and_spread(values: Sequence[float | None], factor: float, digits: int) -> str:
    found = [factor * value for value in values if value is not None]
    if not found:
        return ""
    mean = f"{statistics.mean(found):.{digits}f}"
    return mean if len(found) == 1 else f"{mean} ± {statistics.stdev(found):.{digits}f}"


def _table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], chosen: Sequence[bool] = ()
) -> str:
    def cell(text: str) -> str:
        is_number = text.replace(".", "", 1).isdigit()
        return f"<td{' class=number' if is_number else ''}>{_text(text)}</td>"

    lines = [
        f"<tr{' class=chosen' if index < len(chosen) and chosen[index] else ''}>"
        f"{''.join(map(cell, row))}</tr>"
        for index, row in enumerate(rows)
    ]
    head = "".join(f"<th>{_text(header)}</th>" for header in headers)
    return f"<table><tr>{head}</tr>\n" + "\n".join(lines) + "</table>"


def _text(value: str) -> str:
    return html.escape(value)
