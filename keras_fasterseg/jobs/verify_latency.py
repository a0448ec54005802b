"""Job: compare a latency table's predictions with measured networks."""

import dataclasses
import pathlib
from typing import Any

from keras_fasterseg.benchmark.environment import describe_environment
from keras_fasterseg.files import write_json
from keras_fasterseg.jobs.measure_latency import (
    calibrate,
    calibration_networks,
    device_fingerprint,
)
from keras_fasterseg.jobs.measure_networks import measure_networks, random_networks
from keras_fasterseg.latency.agreement import agreement
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.names import VERIFICATION, VERIFICATION_PICTURE
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.cost import predicted_latency_ms
from keras_fasterseg.visualization.latency_scatter import save_latency_scatter

VERIFICATION_SEED = 2


def verify_latency(
    folder: pathlib.Path,
    table: LatencyTable,
    space: SearchSpace,
    num_classes: int,
    networks: int,
    progress: bool = True,
) -> dict[str, Any]:
    """Measures random networks and compares them with the predictions of `table`.

    If the table is calibrated, the networks of its calibration are measured in turns with the
    others, and the line is fitted to them again: the result must not depend on how busy the device
    was when the table was made. These networks do not count in the comparison.

    Writes `verification.json` and `verification.png` to `folder`.

    Args:
        folder: Folder to write to.
        table: The latency table; its runtime, threads and image size are used.
        space: Search space of the table.
        num_classes: Number of classes.
        networks: Number of random networks.
        progress: Whether to show a progress bar.

    Returns:
        The content of `verification.json`: `sum` and, for a calibrated table, `calibrated`, each
        with `spearman`, `median_relative_error` and `worst_relative_error`; the new `calibration`;
        `networks`, a record for each network.

    Raises:
        ValueError: `networks` is below three, or the table is of another device or version than
            measurements here.
        KeyError: The table lacks a row.
    """
    require(networks >= 3, f"Verification needs at least three networks. Received: {networks}")
    expected, here = (
        table.metadata.fingerprint,
        device_fingerprint(table.metadata.fingerprint.runtime, table.metadata.fingerprint.threads),
    )
    require(
        expected == here,
        f"The table was measured on {expected}, but networks would be measured on {here}; measure "
        "a new table here, into another workdir.",
    )
    fitted = calibration_networks(space, table.calibration.networks if table.calibration else 0)
    genotypes = random_networks(space, networks, VERIFICATION_SEED, fitted)
    measured_times = measure_networks([*fitted, *genotypes], table, num_classes, progress=progress)
    if fitted:
        table = calibrate(table, fitted, measured_times[: len(fitted)], num_classes)
    plain = table.calibrated(None)
    sums = [predicted_latency_ms(genotype, plain, num_classes) for genotype in genotypes]
    predicted = [predicted_latency_ms(genotype, table, num_classes) for genotype in genotypes]
    times = measured_times[len(fitted) :]
    measured = [each.p50_ms for each in times]
    result: dict[str, Any] = {
        "metadata": table.metadata.to_json(),
        "environment": describe_environment(),
        "sum": dataclasses.asdict(agreement(sums, measured)),
    }
    if table.calibration is not None:
        result["calibration"] = dataclasses.asdict(table.calibration)
        result["calibrated"] = dataclasses.asdict(agreement(predicted, measured))
    result["networks"] = [
        {
            "id": genotype.id,
            "sum_ms": sum_ms,
            "predicted_ms": predicted_ms,
            "measured_ms": each.p50_ms,
            "measured_p90_ms": each.p90_ms,
            "repetitions": each.repetitions,
            "genotype": genotype.to_json(),
        }
        for genotype, sum_ms, predicted_ms, each in zip(
            genotypes, sums, predicted, times, strict=True
        )
    ]
    write_json(folder / VERIFICATION, result)
    fingerprint = table.metadata.fingerprint
    height, width = table.metadata.input_size
    save_latency_scatter(
        folder / VERIFICATION_PICTURE,
        sums,
        measured,
        f"{fingerprint.runtime}, {height}x{width}, {fingerprint.device}",
        calibrated_ms=predicted if table.calibration is not None else None,
    )
    return result
