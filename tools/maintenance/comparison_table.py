"""Tables of trainings that differ in one thing: a setting of the recipe, or the network."""

import pathlib

import numpy as np

from keras_fasterseg.files import PathLike, read_json
from tools.maintenance.markdown import number, table


def ablation_markdown(path: PathLike) -> str:
    """The section of the document for a file `ablation.json`."""
    facts = read_json(path)
    return (
        f"### {pathlib.Path(path).stem}: changes of a recipe, each alone\n\n"
        f"{ablation_table(facts['runs'])}\n\n"
        f"{facts['genotype']}, trained with `{facts['base']}` and the flags of the line; mIoU on "
        "the validation split. Lines that differ only in the seed show how much chance decides."
    )


def ablation_table(results: list[dict]) -> str:
    """Markdown table of the runs: mIoU and IoU by class, in percent."""
    classes = list(results[0]["scores"]["per_class"])
    rows = [
        [
            each["name"],
            " ".join(each["flags"]),
            str(each["seed"]),
            *(number(value, ".1f", 100) for value in scores),
        ]
        for each in results
        for scores in [[each["scores"]["miou"], *each["scores"]["per_class"].values()]]
    ]
    return table(rows, ["change", "flags", "seed", "mIoU %", *classes])


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
