"""Measures random networks of a space end to end, on the runtime of a latency table."""

import math
import pathlib
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np

from keras_fasterseg.benchmark.harness import interleaved
from keras_fasterseg.benchmark.load import check_load
from keras_fasterseg.benchmark.statistics import TimeStatistics
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.run.artefacts import open_artefact
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.genotype import Genotype

# Limits how many networks take turns: each holds its intermediate results in memory, about 200
# bytes per pixel of its image.
PIXELS_TOGETHER = 16_000_000

DRAWS_A_NETWORK = 100


def random_networks(
    space: SearchSpace, count: int, seed: int, others: Iterable[Genotype] = ()
) -> list[Genotype]:
    """Draws different random networks of the student's space.

    Args:
        space: The search space.
        count: Number of networks.
        seed: Seed of the draws.
        others: Networks to exclude.

    Raises:
        ValueError: The space seems to have fewer networks.
    """
    generator = np.random.default_rng(seed)
    excluded = {genotype.id for genotype in others}
    drawn: dict[str, Genotype] = {}
    for _ in range(DRAWS_A_NETWORK * count):
        genotype = space.random_genotype(generator)
        if genotype.id not in excluded:
            drawn[genotype.id] = genotype
        if len(drawn) == count:
            return list(drawn.values())
    raise ValueError(
        f"{DRAWS_A_NETWORK * count} random draws from this space gave only {len(drawn)} different "
        f"networks; request fewer than {count}, or use more layers or widths."
    )


def measure_networks(
    genotypes: Sequence[Genotype],
    table: LatencyTable,
    num_classes: int,
    *,
    repetitions: int = 20,
    seconds: float = 1.0,
    progress: bool = True,
) -> list[TimeStatistics]:
    """Times networks with random weights at the table's image size, runtime and threads.

    They are measured in turns, in groups if memory does not suffice for all.

    Args:
        genotypes: The networks, all different.
        table: Its metadata set the image size, runtime and threads.
        num_classes: Number of classes.
        repetitions: Minimum number of timed calls of each network.
        seconds: Minimum measuring time of each network, in seconds.
        progress: Whether to show a progress bar.

    Returns:
        For each of `genotypes`, the time from one uint8 image to class ids.
    """
    check_load(allow=True)
    fingerprint = table.metadata.fingerprint
    together = max(1, PIXELS_TOGETHER // math.prod(table.metadata.input_size))
    times: dict[str, TimeStatistics] = {}
    bar = progress_bar(
        None, "measuring networks", unit="network", total=len(genotypes), show=progress
    )
    with bar, tempfile.TemporaryDirectory() as folder:
        for group in _mixed_groups(genotypes, together):
            runners = {}
            for genotype in group:
                path = pathlib.Path(folder) / f"{genotype.id}.json"
                genotype.save(path)
                runners[genotype.id] = open_artefact(
                    path,
                    fingerprint.runtime,
                    threads=fingerprint.threads,
                    input_size=table.metadata.input_size,
                    num_classes=num_classes,
                    outputs="class_ids",
                )
                bar.update(1)
            timed = interleaved(
                runners,
                input_size=table.metadata.input_size,
                warmup=3,
                min_repetitions=repetitions,
                min_seconds=seconds,
            )
            times |= {name: timed.results[name].times for name in runners}
    return [times[genotype.id] for genotype in genotypes]


def _mixed_groups(genotypes: Sequence[Genotype], together: int) -> list[Sequence[Genotype]]:
    """Groups of at most `together` networks, each with members from the entire list.

    This mixes the networks of a calibration with the networks that verify it.
    """
    count = math.ceil(len(genotypes) / together)
    return [genotypes[first::count] for first in range(count)]
