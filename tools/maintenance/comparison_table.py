"""Tables of trainings that differ in one thing: a setting of the recipe, or the network."""

import pathlib

import numpy as np

from keras_fasterseg.benchmark.harness import sentence_of_turns
from keras_fasterseg.files import PathLike, read_json
from tools.maintenance.markdown import number, table


def ablation_markdown(path: PathLike) -> str:
    """The section of the document for a file `ablation.json`."""
    facts = read_json(path)
    return (
        f"### {pathlib.Path(path).stem}: trainings that differ in the flags of the line\n\n"
        f"{ablation_table(facts)}\n\n"
        f"{facts['genotype']}, unless the line names another network, trained with "
        f"`{facts['base']}`; mIoU on the validation split. Seeds show how much chance decides."
        f"{_measured(facts)}"
    )


def _measured(facts: dict) -> str:
    if "fps" not in facts:
        return ""
    result = next(iter(facts["fps"].values()))
    height, width = result["input_size"]
    return f" FPS at {height}x{width}: {sentence_of_turns(result)}."


def ablation_table(facts: dict) -> str:
    """Markdown tables of an `ablation.json`: mIoU and IoU by class in percent, frame rates.

    Lines that several seeds share are summed up in a second table.
    """
    runs, measured = facts["runs"], facts.get("fps")
    classes = list(runs[0]["scores"]["per_class"])
    described = "parameters" in runs[0]  # Earlier files have neither parameters nor minutes.
    rows = [
        [
            each["name"],
            " ".join(each["flags"]),
            str(each["seed"]),
            *([f"{each['parameters']:,}", f"{each['minutes']:.0f}"] if described else []),
            *([f"{measured[each['genotype']]['fps']:.1f}"] if measured else []),
            *(number(value, ".1f", 100) for value in scores),
        ]
        for each in runs
        for scores in [[each["scores"]["miou"], *each["scores"]["per_class"].values()]]
    ]
    header = [
        *("change", "flags", "seed"),
        *(["parameters", "minutes"] if described else []),
        *(["FPS"] if measured else []),
        *("mIoU %", *classes),
    ]
    return "\n\n".join([table(rows, header), *_means(runs, measured)])


def _means(runs: list[dict], measured: dict | None) -> list[str]:
    """A table of the means over the seeds of every name, if any has several."""
    groups: dict[str, list[dict]] = {}
    for each in runs:
        groups.setdefault(each["name"], []).append(each)
    if len(groups) == len(runs):
        return []
    rows = [
        [
            name,
            str(len(group)),
            *([_mean([measured[each["genotype"]]["fps"] for each in group])] if measured else []),
            _mean([100 * each["scores"]["miou"] for each in group]),
        ]
        for name, group in groups.items()
    ]
    return [table(rows, ["change", "seeds", *(["FPS"] if measured else []), "mIoU %"])]


def _mean(values: list[float]) -> str:
    """Mean, and the lowest and highest value."""
    return f"{np.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def kendall_tau(first: list[float], second: list[float]) -> float:
    """Kendall's tau-b of two lists: 1 for the same order, 0 for no relation.

    Raises:
        ValueError: All values of a list are equal.
    """
    one, two = (np.sign(np.subtract.outer(values, values)) for values in (first, second))
    pairs = np.sqrt((one**2).sum() * (two**2).sum())
    if pairs == 0:
        raise ValueError("Kendall's tau needs lists whose values are not all equal.")
    return float((one * two).sum() / pairs)


def ranking_markdown(path: PathLike) -> str:
    """The section of the document for a file `ranking.json`."""
    facts = read_json(path)
    return (
        f"### {pathlib.Path(path).stem}: scores with inherited weights, and after training\n\n"
        f"{ranking_table(facts)}\n\nCommand: `{facts['command']}`"
    )


def ranking_table(facts: dict) -> str:
    """Markdown table of the networks, best first, with tau in the last row."""
    networks = sorted(facts["networks"], key=lambda each: -each["trained_miou"])
    keys = list(facts["kendall_tau"])
    rows = [
        [
            each["genotype"],
            *(number(each[key], ".2f", 100) for key in ("trained_miou", *keys)),
        ]
        for each in networks
    ]
    rows.append(["Kendall's tau", "", *(f"{facts['kendall_tau'][key]:.2f}" for key in keys)])
    return table(
        rows, ["network", "trained mIoU %", *(key.replace("_", " ") + " %" for key in keys)]
    )
