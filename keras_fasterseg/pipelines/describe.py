"""Job: a network on paper, stage by stage: sizes, parameters, operations, predicted latency."""

from collections.abc import Iterator
from typing import Any

import tabulate

from keras_fasterseg.genotype import SCALES, Genotype
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import multiply_accumulates, parameters
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.pipelines.genotypes import SPACE
from keras_fasterseg.spaces.fasterseg.stages import Stage, network_stages

IDENTITY = "identity"


def describe(
    genotype: Genotype,
    input_size: tuple[int, int],
    num_classes: int = 19,
    table: LatencyTable | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Everything that can be said of a network without building it, fit for JSON.

    `parameters_training` counts the auxiliary heads, all other totals are of the deployed network.
    `branches` numbers the scales as the released code does: 0 for 1/8, 1 for 1/16, 2 for 1/32.

    Args:
        genotype: The network.
        input_size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.
        table: Adds the latency of each operation and their sum.
        name: What the user calls the network; its id if there is no name.

    Raises:
        ValueError: The size is not of multiples of 32 or not the table's, there are no classes, or
            the network is of another space than the table.
        KeyError: The table lacks an operation of the network.
    """
    if num_classes < 1:
        raise ValueError(f"A network needs a class. Received: num_classes={num_classes}")
    if table is not None:
        _check_table(table, genotype, input_size)
    stages = network_stages(genotype, input_size, num_classes)
    rows = [row for stage in stages for row in _rows(stage, table)]
    deployed = [row for row in rows if not row["training_only"]]
    description = {
        "genotype": name or genotype.id,
        "id": genotype.id,
        "space": genotype.space,
        "branches": [SCALES.index(branch.scale) for branch in genotype.branches],
        "branch_scales": [branch.scale for branch in genotype.branches],
        "input_size": list(input_size),
        "num_classes": num_classes,
        "parameters_inference": sum(row["parameters"] for row in deployed),
        "parameters_training": sum(row["parameters"] for row in rows),
        "macs": sum(row["macs"] for row in deployed),
    }
    if table is not None:
        latency_ms = sum(row["latency_ms"] for row in deployed)
        description["latency_ms_predicted"] = latency_ms
        description["fps_predicted"] = 1000.0 / latency_ms
    return {**description, "stages": rows}


def description_tables(description: dict[str, Any]) -> str:
    """What `describe` found, as tables for people to read."""
    headers = ["stage", "operation", "input", "filters", "stride", "parameters", "MACs"]
    fields = ["name", "operation", "input", "filters", "stride", "parameters", "macs"]
    timed = "latency_ms_predicted" in description
    if timed:
        headers.append("latency ms")
        fields.append("latency_ms")
    rows = [_readable(row) for row in description["stages"]]
    stages = tabulate.tabulate(
        [[row.get(field, "") for field in fields] for row in rows],
        headers=headers,
        colalign=("left", "left", *["right"] * (len(headers) - 2)),
        disable_numparse=True,
    )
    height, width = description["input_size"]
    totals = [
        ("genotype", f"{description['genotype']} ({description['id']})"),
        ("space", description["space"]),
        ("branches", f"{description['branches']}, scales {description['branch_scales']}"),
        ("input size, classes", f"{height}x{width}, {description['num_classes']}"),
        ("parameters, inference", f"{description['parameters_inference']:,}"),
        ("parameters, training", f"{description['parameters_training']:,}"),
        ("multiply-accumulates", f"{description['macs']:,}"),
    ]
    if timed:
        totals.append(("predicted latency, ms", f"{description['latency_ms_predicted']:.3f}"))
        totals.append(("predicted FPS", f"{description['fps_predicted']:.1f}"))
    return f"{stages}\n\n{tabulate.tabulate(totals, tablefmt='plain', disable_numparse=True)}"


def _rows(stage: Stage, table: LatencyTable | None) -> Iterator[dict[str, Any]]:
    """A row for every operation; one for a stage that has none."""
    shared = {"name": stage.name, "training_only": stage.training_only}
    if not stage.keys:
        latency = {} if table is None else {"latency_ms": 0.0}
        yield {**shared, "operation": IDENTITY, "parameters": 0, "macs": 0, **latency}
    for key in stage.keys:
        row = {**shared, **_cost(key)}
        # No table holds what only training runs.
        if table is not None and not stage.training_only:
            row["latency_ms"] = table[key].latency_ms
        yield row


def _cost(key: OpKey) -> dict[str, Any]:
    return {
        "operation": key.operation,
        "height": key.height,
        "width": key.width,
        "in_filters": key.in_filters,
        "out_filters": key.out_filters,
        "stride": key.stride,
        "parameters": parameters(key),
        "macs": multiply_accumulates(key),
    }


def _readable(row: dict[str, Any]) -> dict[str, str]:
    readable = {
        "name": row["name"] + (" (training only)" if row["training_only"] else ""),
        "operation": row["operation"],
        "parameters": f"{row['parameters']:,}",
        "macs": f"{row['macs']:,}",
    }
    if row["operation"] != IDENTITY:
        readable["input"] = f"{row['height']}x{row['width']}"
        readable["filters"] = f"{row['in_filters']} -> {row['out_filters']}"
        readable["stride"] = str(row["stride"])
    if "latency_ms" in row:
        readable["latency_ms"] = f"{row['latency_ms']:.4f}"
    return readable


def _check_table(table: LatencyTable, genotype: Genotype, input_size: tuple[int, int]) -> None:
    if table.metadata.space != genotype.space or genotype.space != SPACE:
        raise ValueError(
            f"The latency table is of the search space {table.metadata.space!r}, the network of "
            f"{genotype.space!r}; let both agree."
        )
    if tuple(table.metadata.input_size) != tuple(input_size):
        height, width = table.metadata.input_size
        raise ValueError(
            f"The latency table holds for images of {height}x{width}, not for "
            f"{input_size[0]}x{input_size[1]}; let both agree."
        )
