"""Job: the tables of results in a document, made of what runs have written."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tabulate

from keras_fasterseg.benchmark.environment import device_kind
from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, atomic_path, read_json, write_text
from keras_fasterseg.pipelines.export_results import export_markdown
from keras_fasterseg.pipelines.search_results import search_markdown
from keras_fasterseg.pipelines.speed_results import benchmark_markdown, verification_markdown
from keras_fasterseg.run.names import COMPARISON, SUMMARY

BEGIN = "<!-- results: begin -->"
END = "<!-- results: end -->"

RECORDED = (
    *(SUMMARY, COMPARISON, "benchmark/student.json"),
    *(f"search/{name}.json" for name in ("search", "student", "teacher", "stage")),
    "search/latency_table.json",
    *(f"{stage}/log.csv" for stage in ("teacher", "student", "student_alone", "published_student")),
    *(f"latency/{name}.json" for name in ("latency_table", "verification", "stage")),
    *("manifest.json", "assets.extra/metadata.json"),
)
"""What of a run or an export its results and pictures are made of, as far as it has it."""

_ROLES = ("teacher", "student")
_FAMILIES = ("alpha", "beta", "gamma")


@dataclasses.dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: What it is called.
        miou: Mean IoU in [0, 1]; `None` if no class was there to be scored.
        per_class: IoU of every class in [0, 1]; `None` for a class that is absent.
        parameters: Parameters of the deployed network.
        macs: Multiply-accumulates of one image.
        fps: Images a second; `None` if it was not measured.
        epochs: Epochs of training, where they are known.
    """

    name: str
    miou: float | None
    per_class: Mapping[str, float | None]
    parameters: int
    macs: int
    fps: float | None
    epochs: int | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """Networks that were scored on one split and timed in one way.

    Attributes:
        title: Its heading.
        dataset: Name of the data set.
        split: Split that was scored.
        rows: The networks.
        constant_predictor_miou: What one gets by giving every pixel the most frequent class.
        input_size: Height and width of the images that were timed and counted.
        device: On what and how frame rates were measured.
        command: What made it.
        minutes: Minutes of every stage.
        entropies: Role, family of choices, then a number an epoch; 1 is undecided.
    """

    title: str
    dataset: str
    split: str
    rows: tuple[Row, ...]
    constant_predictor_miou: float
    input_size: tuple[int, int]
    device: str
    command: str | None
    minutes: Mapping[str, float]
    entropies: Mapping[str, Mapping[str, Sequence[float]]]


def update_document(
    document: PathLike,
    workdirs: Sequence[PathLike],
    benchmarks: Sequence[PathLike] = (),
    tables: Sequence[PathLike] = (),
    searches: Sequence[PathLike] = (),
    exports: Sequence[PathLike] = (),
) -> str:
    """Writes results between the two markers of `document` and returns them.

    Args:
        document: The document.
        workdirs: Folders of finished runs.
        benchmarks: Files of `tools.benchmark`, each with a table of its own.
        tables: Folders of runs with a verified latency table; they share one table of results.
        searches: Folders of runs with a search; likewise.
        exports: Folders of exports; likewise.

    Raises:
        FileNotFoundError: The document, or results, are not there.
        ValueError: There is nothing to show, a file of results is not whole, or the document has
            not its two markers.
    """
    if not (workdirs or benchmarks or tables or searches or exports):
        raise ValueError("There is no run to show; name at least one workdir.")
    path = pathlib.Path(document)
    if not path.is_file():
        raise FileNotFoundError(f"There is no document {path} to write results into.")
    text = path.read_text(encoding="utf-8")
    parts = [report_markdown(read_report(workdir)) for workdir in workdirs]
    parts += [benchmark_markdown(file) for file in benchmarks]
    parts += [verification_markdown(tables)] if tables else []
    parts += [search_markdown(searches, benchmarks)] if searches else []
    parts += [export_markdown(exports, benchmarks)] if exports else []
    results = "\n\n".join(parts)
    write_text(path, between_markers(text, results, str(path)))
    return results


def record(path: PathLike, folder: PathLike) -> pathlib.Path:
    """Copies what results are made of to `folder`, to be kept beside the document.

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


def read_report(workdir: PathLike) -> Report:
    """What the run in `workdir` has to show: its comparison, or its summary where it has none.

    Raises:
        FileNotFoundError: It has neither.
        ValueError: The file is not JSON or lacks a field; the message names both.
    """
    folder = pathlib.Path(workdir)
    # A comparison has the rows of the summary too.
    for name, read in ((COMPARISON, _comparison_report), (SUMMARY, _summary_report)):
        path = folder / name
        if not path.is_file():
            continue
        value = read_json(path)
        try:
            return read(value, folder)
        except KeyError as error:
            raise ValueError(
                f"{path} lacks the field {error}; write it anew with the tool that made it or "
                "leave that workdir out."
            ) from error
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{path} has not the form of results ({error}); write it anew with the tool that "
                "made it or leave that workdir out."
            ) from error
    raise FileNotFoundError(
        f"{folder} has neither {SUMMARY} nor {COMPARISON}; let `python -m tools.run_all` finish "
        "with that workdir, or name another."
    )


def report_markdown(report: Report) -> str:
    """A report as Markdown: networks, where numbers come from, entropies, IoU of every class."""
    height, width = report.input_size
    with_epochs = any(row.epochs is not None for row in report.rows)
    networks = [
        [
            row.name,
            _percent(row.miou),
            "" if row.fps is None else fps_text(row.fps),
            f"{row.parameters:,}",
            f"{row.macs / 1e9:.2f}",
            *([_text(row.epochs)] if with_epochs else []),
        ]
        for row in report.rows
    ]
    constant = ["constant predictor", _percent(report.constant_predictor_miou)]
    networks.append(constant + [""] * (len(networks[0]) - 2))
    headers = ["network", "mIoU % at own size", f"FPS at {height}x{width}", "parameters", "GMACs"]
    parts = [
        f"### {report.title}",
        _table(networks, [*headers, *(["epochs"] if with_epochs else [])]),
        f"mIoU on `{report.split}` of {report.dataset}, every image at its own size, which the "
        f"network pads to multiples of 32. {report.device}",
    ]
    if report.command:
        parts.append(f"Command: `{report.command}`")
    if report.minutes:
        parts.append(minutes_line(report.minutes))
    if any(report.entropies.values()):
        parts.append(entropy_line(report.entropies))
    classes = list(dict.fromkeys(name for row in report.rows for name in row.per_class))
    scores = [
        [name, *(_percent(row.per_class.get(name)) for row in report.rows)] for name in classes
    ]
    table = _table(scores, ["IoU %", *(row.name for row in report.rows)])
    parts.append(f"<details><summary>IoU of every class</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts)


def minutes_line(minutes: Mapping[str, float]) -> str:
    """How long the stages took, in one line."""
    stages = ", ".join(f"{name} {value:.1f}" for name, value in minutes.items())
    return f"Minutes: {stages}; {sum(minutes.values()):.1f} in all."


def entropy_line(entropies: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """From what to what the entropies of the choices fell, in one line."""
    roles = []
    for role, families in entropies.items():
        spans = [
            f"{name} {values[0]:.3f} → {values[-1]:.3f}"
            for name, values in families.items()
            if values
        ]
        if spans:
            roles.append(f"{role} {', '.join(spans)}")
    text = "; ".join(roles)
    return f"Entropy after the first → the last epoch of the search (1 = undecided): {text}."


def between_markers(text: str, results: str, name: str = "The document") -> str:
    """`text` with `results` in place of what stood between the two markers.

    Raises:
        ValueError: The markers are not there once each, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in inside + after or END in before + after:
        raise ValueError(
            f"{name} must hold the lines {BEGIN} and {END} once each, in that order; "
            "put them where the results shall stand."
        )
    return f"{before}{BEGIN}\n{results}\n{END}{after}"


def _summary_report(value: Mapping[str, Any], folder: pathlib.Path) -> Report:
    sizes = {tuple(value[role]["input_size"]) for role in _ROLES}
    if len(sizes) != 1:
        raise ValueError(f"the networks were timed at different sizes, {sorted(sizes)}")
    height, width = sizes.pop()
    rows = tuple(
        Row(
            role,
            each["miou"],
            each["per_class"],
            each["parameters_inference"],
            each["macs"],
            each["fps"],
        )
        for role, each in ((role, value[role]) for role in _ROLES)
    )
    return Report(
        title=f"{value['dataset']}: the searched networks",
        dataset=value["dataset"],
        split=value.get("split", "val"),
        rows=rows,
        constant_predictor_miou=value["constant_predictor_miou"],
        input_size=(height, width),
        device=_measured(folder / "benchmark" / "student.json"),
        command=value.get("command"),
        minutes=value["minutes"],
        entropies=value.get("entropies") or _searched_entropies(folder / "search" / "search.json"),
    )


def _comparison_report(value: Mapping[str, Any], folder: pathlib.Path) -> Report:
    height, width = value["input_size"]
    rows = tuple(
        Row(
            f"{each['name']}, distilled" if each["distilled"] else each["name"],
            each["miou"],
            each["per_class"],
            each["parameters_inference"],
            each["macs"],
            each["fps"],
            each["epochs"],
        )
        for each in value["rows"]
    )
    if not rows:
        raise ValueError("`rows` is empty")
    return Report(
        title=f"{value['dataset']}: the searched network beside others",
        dataset=value["dataset"],
        split=value["split"],
        rows=rows,
        constant_predictor_miou=value["constant_predictor_miou"],
        input_size=(height, width),
        device=f"FPS: measured on {value['device']}. Seed {value['seed']}.",
        command=value["command"],
        minutes=value["minutes"],
        entropies=value["entropies"],
    )


def _measured(path: pathlib.Path) -> str:
    """How a run's benchmark was made; empty if it has left no record."""
    if not path.is_file():
        return ""
    value = read_json(path)
    runner, environment = value["runner"], value["environment"]
    is_cpu = device_kind(runner["device"]) == "CPU"
    device = environment["cpu"] if is_cpu else runner["device"]
    return (
        f"FPS: the exported network ({runner['runtime']}, {runner['version']}, "
        f"{runner['precision']}), uint8 images to class ids in host memory, batch "
        f"{value['batch_size']}, at the median of {value['times']['repetitions']} calls, on "
        f"{device} with {runner['threads']} threads; harness version {value['harness_version']}."
    )


def _searched_entropies(path: pathlib.Path) -> dict[str, dict[str, list[float]]]:
    """The entropies in a search's own record; nothing if there is none."""
    if not path.is_file():
        return {}
    epochs = read_json(path)
    return {
        role: {
            family: [epoch[role]["entropy"][family] for epoch in epochs]
            for family in _FAMILIES
            if all(family in epoch[role]["entropy"] for epoch in epochs)
        }
        for role in _ROLES
    }


def _table(rows: list[list[str]], headers: list[str]) -> str:
    # A vertical bar would end the cell.
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return tabulate.tabulate(
        rows,
        [header.replace("|", "\\|") for header in headers],
        tablefmt="pipe",
        colalign=("left", *["right"] * (len(headers) - 1)),
        disable_numparse=True,
    )


def _percent(value: float | None) -> str:
    return "absent" if value is None else f"{100 * value:.2f}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
