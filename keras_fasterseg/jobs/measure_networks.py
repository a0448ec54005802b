"""Random networks of a space, measured from bytes to class ids on the runtime of a table."""

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

# Networks take turns, as many as these pixels of images allow: each holds its intermediate results
# in memory, some 200 bytes a pixel.
PIXELS_TOGETHER = 16_000_000

DRAWS_A_NETWORK = 100


def random_networks(
    space: SearchSpace, count: int, seed: int, others: Iterable[Genotype] = ()
) -> list[Genotype]:
    """Different networks of the student's space, drawn at random.

    Args:
        space: The space.
        count: How many.
        seed: Of the draw.
        others: Networks that must not be among them.

    Raises:
        ValueError: The space hardly has so many networks.
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
        f"{DRAWS_A_NETWORK * count} random networks of this space hold only {len(drawn)} different "
        f"ones; ask for fewer than {count}, or take more layers or widths."
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
    """Times networks of fresh weights at the table's image size, with its runtime and threads.

    They take turns; where memory has no room for all, groups of them do.

    Args:
        genotypes: The networks, all different.
        table: Says where they are measured.
        num_classes: Number of classes.
        repetitions: Calls of each network that count, at least.
        seconds: Seconds to measure each network, at least.
        progress: Whether to show a progress bar.

    Returns:
        The time of one image from uint8 to class ids, for each of `genotypes`.
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
    """Groups of at most so many, each with members from everywhere in the list.

    Networks that a line is fitted to and those that judge it must not lie in groups of their own.
    """
    count = math.ceil(len(genotypes) / together)
    return [genotypes[first::count] for first in range(count)]
