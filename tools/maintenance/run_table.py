"""Tables of the trained networks of one run."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_fasterseg.benchmark.environment import device_kind
from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, read_json
from tools.maintenance.markdown import details, number, table


def run_markdown(workdir: PathLike) -> str:
    """Networks of a run with their method of measurement, search entropies and per-class IoU.

    Reads `comparison.json`, which includes the rows of the summary, or else `summary.json`.

    Raises:
        FileNotFoundError: The workdir has neither file.
        ValueError: The networks of the summary were timed at different sizes.
        KeyError, TypeError, AttributeError: A file has an unexpected structure.
    """
    folder = pathlib.Path(workdir)
    if (folder / "comparison.json").is_file():
        value = read_json(folder / "comparison.json")
        title, rows, size = "searched and published networks", value["rows"], value["input_size"]
        measured = f"FPS: measured on {value['device']}. Seed {value['seed']}."
    elif (folder / "summary.json").is_file():
        value = read_json(folder / "summary.json")
        rows = [{"name": role, **value[role]} for role in ("teacher", "student") if role in value]
        size = value["student"]["input_size"]
        for row in rows:
            if row["input_size"] != size:
                sizes = f"{size} and {row['input_size']}"
                raise ValueError(f"{folder} has networks timed at different sizes: {sizes}.")
        title, measured = "searched networks", _measured(folder / "benchmark" / "student.json")
    else:
        raise FileNotFoundError(
            f"{folder} has neither summary.json nor comparison.json. Finish its run with "
            "`python -m tools.run_all`, or name another workdir."
        )
    names = [f"{row['name']}, distilled" if row.get("distilled") else row["name"] for row in rows]
    headers = [
        "network",
        "mIoU % at original size",
        "FPS at {}x{}".format(*size),
        "parameters",
        "GMACs",
    ]
    headers += ["epochs"] if "epochs" in rows[0] else []
    networks = [
        [
            name,
            _percent(row["miou"]),
            None if row["fps"] is None else fps_text(row["fps"]),
            f"{row['parameters_inference']:,}",
            f"{row['macs'] / 1e9:.2f}",
            row.get("epochs"),
        ][: len(headers)]
        for name, row in zip(names, rows, strict=True)
    ]
    constant = ["constant predictor", _percent(value["constant_predictor_miou"])]
    classes = [
        [name, *(_percent(row["per_class"].get(name)) for row in rows)]
        for name in dict.fromkeys(name for row in rows for name in row["per_class"])
    ]
    parts = [
        f"### {value['dataset']}{_space(folder)}: {title}",
        table([*networks, constant + [None] * (len(headers) - 2)], headers, right=True),
        f"mIoU on `{value['split']}` of {value['dataset']}, every image at its original size, "
        f"padded by the network to multiples of 32. {measured}",
        f"Command: `{value['command']}`" if value["command"] else "",
        _minutes(value["minutes"]),
        _entropies(value["entropies"]),
        details("IoU per class", table(classes, ["IoU %", *names], right=True)),
    ]
    return "\n\n".join(filter(None, parts))


def _space(folder: pathlib.Path) -> str:
    """Search space of a run, unless it is the default one, which stages do not record."""
    path = folder / "search" / "stage.json"
    space = read_json(path)["settings"].get("space") if path.is_file() else None
    return f", {space}" if space else ""


def _measured(path: pathlib.Path) -> str:
    """Method and hardware of a run's benchmark."""
    value = read_json(path)
    runner = value["runner"]
    is_cpu = device_kind(runner["device"]) == "CPU"
    return (
        f"FPS: the exported network ({runner['runtime']}, {runner['version']}, "
        f"{runner['precision']}), uint8 images to class ids in host memory, batch "
        f"{value['batch_size']}, median of {value['times']['repetitions']} calls, on "
        f"{value['environment']['cpu'] if is_cpu else runner['device']} with {runner['threads']} "
        f"threads; harness version {value['harness_version']}."
    )


def _minutes(minutes: Mapping[str, float]) -> str:
    stages = ", ".join(f"{name} {value:.1f}" for name, value in minutes.items())
    return f"Minutes: {stages}; total {sum(minutes.values()):.1f}."


def _entropies(entropies: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    roles = []
    for role, families in entropies.items():
        spans = (f"{name} {each[0]:.3f} → {each[-1]:.3f}" for name, each in families.items())
        roles.append(f"{role} {', '.join(spans)}")
    if not roles:
        return ""
    text = "; ".join(roles)
    return f"Entropy after the first → last epoch of the search (1 = undecided): {text}."


def _percent(value: Any) -> str:
    return number(value, ".2f", 100) or "absent"
