"""Description of a network, stage by stage: sizes, parameters, operations, predicted latency."""

import collections
from collections.abc import Iterator
from typing import Any

import tabulate

from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint
from keras_fasterseg.run.latency_tables import check_table_size
from keras_fasterseg.spaces.cost import serving_key
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import space_of
from keras_fasterseg.spaces.stage import Stage
from keras_fasterseg.wording import text_table

IDENTITY = "identity"
SERVING = "serving"

_MOST_EXPENSIVE = 5


def describe(
    genotype: Genotype,
    input_size: tuple[int, int],
    num_classes: int = 19,
    table: LatencyTable | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Describes a network in JSON values, without building it.

    `parameters_training` includes the auxiliary heads; all other totals are of the deployed
    network. With a table, an operation's `latency_share` is its share of `latency_ms_sum`, the sum
    of the rows. `latency_ms_predicted` is that sum after the table's calibration, if it has one.
    `latency_table` is the table's metadata, which states the device of the prediction. Pre- and
    postprocessing is a stage `serving` if the table has a row for it.

    Args:
        genotype: The network.
        input_size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.
        table: Adds each operation's latency and share, their sum and the prediction.
        name: The user's name for the network. Default: its id.

    Raises:
        ValueError: The size is not a multiple of 32 or differs from the table's, `num_classes` is
            below 1, or the network and the table are of different search spaces.
        KeyError: The table lacks an operation of the network.
    """
    if num_classes < 1:
        raise ValueError(f"A network needs at least one class. Received: num_classes={num_classes}")
    if table is not None:
        _check_table(table, genotype, input_size)
    stages = list(space_of(genotype).stages(genotype, input_size, num_classes))
    serving = serving_key(input_size, num_classes)
    if table is not None and serving in table:
        stages.append(Stage(SERVING, (serving,)))
    rows = [row for stage in stages for row in _rows(stage, table)]
    deployed = [row for row in rows if not row["training_only"]]
    description = {
        "genotype": name or genotype.id,
        "id": genotype.id,
        "space": genotype.space,
        **genotype.summary(),
        "input_size": list(input_size),
        "num_classes": num_classes,
        "parameters_inference": sum(row["parameters"] for row in deployed),
        "parameters_training": sum(row["parameters"] for row in rows),
        "macs": sum(row["macs"] for row in deployed),
    }
    if table is not None:
        sum_ms = sum(row["latency_ms"] for row in deployed)
        for row in deployed:
            row["latency_share"] = row["latency_ms"] / sum_ms
        keys = [key for stage in stages if not stage.training_only for key in stage.keys]
        predicted_ms = table.predicted_ms(keys)
        description["latency_table"] = table.metadata.to_json()
        description["latency_ms_sum"] = sum_ms
        description["latency_ms_predicted"] = predicted_ms
        description["fps_predicted"] = 1000.0 / predicted_ms
    return {**description, "stages": rows}


def description_tables(description: dict[str, Any]) -> str:
    """Formats a description as readable tables."""
    headers = ["stage", "operation", "input", "filters", "stride", "parameters", "MACs"]
    fields = ["name", "operation", "input", "filters", "stride", "parameters", "macs"]
    timed = "latency_ms_predicted" in description
    if timed:
        headers += ["latency ms", "share"]
        fields += ["latency_ms", "latency_share"]
    rows = [_readable(row) for row in description["stages"]]
    stages = text_table(headers, [[row.get(field, "") for field in fields] for row in rows], "ll")
    height, width = description["input_size"]
    branches = f"{description.get('branches')}, scales {description.get('branch_scales')}"
    totals = [
        ("genotype", f"{description['genotype']} ({description['id']})"),
        ("space", description["space"]),
        *([("branches", branches)] if "branches" in description else []),
        ("input size, classes", f"{height}x{width}, {description['num_classes']}"),
        ("parameters, inference", f"{description['parameters_inference']:,}"),
        ("parameters, training", f"{description['parameters_training']:,}"),
        ("multiply-accumulates", f"{description['macs']:,}"),
    ]
    if timed:
        totals.append(("most expensive", _most_expensive(description["stages"])))
        fingerprint = Fingerprint(**description["latency_table"]["fingerprint"])
        totals.append(("predicted for", str(fingerprint)))
        # Without a calibration both numbers are the same.
        if description["latency_ms_sum"] != description["latency_ms_predicted"]:
            totals.append(("sum of the rows, ms", f"{description['latency_ms_sum']:.3f}"))
        totals.append(("predicted latency, ms", f"{description['latency_ms_predicted']:.3f}"))
        totals.append(("predicted FPS", fps_text(description["fps_predicted"])))
    return f"{stages}\n\n{tabulate.tabulate(totals, tablefmt='plain', disable_numparse=True)}"


def _rows(stage: Stage, table: LatencyTable | None) -> Iterator[dict[str, Any]]:
    """Yields a row for every operation, and one row for a stage without operations."""
    shared = {"name": stage.name, "training_only": stage.training_only}
    if not stage.keys:
        latency = {} if table is None else {"latency_ms": 0.0}
        yield {**shared, "operation": IDENTITY, "parameters": 0, "macs": 0, **latency}
    for key in stage.keys:
        row = {**shared, **_cost(key)}
        # Tables have no rows for operations that only training runs.
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
        **({"attributes": dict(key.attributes)} if key.attributes else {}),
        "parameters": work(key).trainable,
        "macs": work(key).macs,
    }


def _most_expensive(rows: list[dict[str, Any]]) -> str:
    """Names the stages with the largest shares of the latency, largest first."""
    shares = collections.Counter()
    for row in rows:
        shares[row["name"]] += row.get("latency_share", 0.0)
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.most_common(_MOST_EXPENSIVE))


def _readable(row: dict[str, Any]) -> dict[str, str]:
    attributes = [f"{name}={value}" for name, value in row.get("attributes", {}).items()]
    readable = {
        "name": row["name"] + (" (training only)" if row["training_only"] else ""),
        "operation": " ".join([row["operation"], *attributes]),
        "parameters": f"{row['parameters']:,}",
        "macs": f"{row['macs']:,}",
    }
    if row["operation"] != IDENTITY:
        readable["input"] = f"{row['height']}x{row['width']}"
        readable["filters"] = f"{row['in_filters']} -> {row['out_filters']}"
        readable["stride"] = str(row["stride"])
    if "latency_ms" in row:
        readable["latency_ms"] = f"{row['latency_ms']:.4f}"
        readable["latency_share"] = f"{row['latency_share']:.1%}"
    return readable


def _check_table(table: LatencyTable, genotype: Genotype, input_size: tuple[int, int]) -> None:
    if table.metadata.space != genotype.space:
        raise ValueError(
            f"The latency table is for the search space {table.metadata.space!r}, but the network "
            f"is of {genotype.space!r}; use a table of the network's space."
        )
    check_table_size(table, input_size)
