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
    fps = [measured[each["genotype"]]["fps"] if measured else None for each in runs]
    described = "parameters" in runs[0]  # Earlier files have neither parameters nor minutes.
    rows = [
        [
            each["name"],
            " ".join(each["flags"]),
            str(each["seed"]),
            *([f"{each['parameters']:,}", f"{each['minutes']:.0f}"] if described else []),
            *([number(own, ".1f")] if measured else []),
            *(number(value, ".1f", 100) for value in scores),
        ]
        for each, own in zip(runs, fps, strict=True)
        for scores in [[each["scores"]["miou"], *each["scores"]["per_class"].values()]]
    ]
    header = [
        *("change", "flags", "seed"),
        *(["parameters", "minutes"] if described else []),
        *(["FPS"] if measured else []),
        *("mIoU %", *classes),
    ]
    tables = [table(rows, header)]
    groups: dict[str, list[int]] = {}
    for index, each in enumerate(runs):
        groups.setdefault(each["name"], []).append(index)
    if any(len(group) > 1 for group in groups.values()):
        tables.append(
            table(
                [
                    [
                        name,
                        str(len(group)),
                        *([_mean([fps[index] for index in group])] if measured else []),
                        _mean([runs[index]["scores"]["miou"] for index in group], 100),
                    ]
                    for name, group in groups.items()
                ],
                ["change", "seeds", *(["FPS"] if measured else []), "mIoU %"],
            )
        )
    return "\n\n".join(tables)


def _mean(values: list[float], factor: float = 1) -> str:
    """Mean, and the lowest and highest value, of `factor` times each."""
    low, high = min(values) * factor, max(values) * factor
    return f"{np.mean(values) * factor:.1f} ({low:.1f} to {high:.1f})"


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
