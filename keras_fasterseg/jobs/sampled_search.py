"""Job: search among networks that are scored one by one, or chosen by their cost."""

import math
import pathlib
from collections.abc import Callable

import keras
from absl import logging

from keras_fasterseg import workers
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import write_json
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.names import CANDIDATES, LATENCY_TABLE
from keras_fasterseg.run.scored_networks import ScoredNetworks, make_ranker
from keras_fasterseg.run.search_report import without_nan
from keras_fasterseg.search.candidates import band_distance, best_candidate
from keras_fasterseg.search.strategies import evolution, most_expensive, random_networks
from keras_fasterseg.settings.search import EVOLUTION, MOST_MACS, SAMPLED, SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.cost import network_work, predicted_latency_ms
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.visualization.trade_off import TradeOff, pareto_front


def sampled_search(
    folder: pathlib.Path,
    source: SegmentationSource,
    data: DataSettings,
    space: SearchSpace,
    settings: SearchSettings,
    table: LatencyTable,
    pretrained: pathlib.Path | None,
    seed: int,
) -> dict[str, Genotype]:
    """Chooses a student by `settings.strategy`; the teacher is the largest network of the space.

    Writes the genotypes of all roles. Searches that score networks also write `candidates.json`
    (every scored network) and `front.json` (those that no other beats in both mIoU and frame rate,
    the slowest first). An interrupted search does not score again what `candidates.json` has.

    Returns:
        The genotypes by role.

    Raises:
        ValueError: No random network is inside the band.
        KeyError: The table lacks an operation of the space.
    """
    if not workers.is_chief():
        return {}
    # A resumed search uses the table with which it began; it may have been calibrated again.
    kept = folder / LATENCY_TABLE
    if kept.is_file():
        table = LatencyTable.load(kept)
    else:
        table.save(kept)
    band = (settings.min_fps, settings.max_fps)
    classes, size = source.num_classes, table.metadata.input_size

    def latency_ms(genotype: Genotype) -> float:
        return predicted_latency_ms(genotype, table, classes)

    if settings.uses_weights:
        student = _best_scored(folder, source, data, space, settings, latency_ms, pretrained, seed)
    elif settings.strategy in SAMPLED:
        (student,) = random_networks(space, latency_ms, band, 1, seed)
    else:
        cost = "macs" if settings.strategy == MOST_MACS else "trainable"
        student = most_expensive(
            space,
            latency_ms,
            lambda each: getattr(network_work(each, size, classes), cost),
            band,
            seed,
        )
    genotypes = {STUDENT: student}
    if TEACHER in space.roles:
        genotypes = {TEACHER: space.largest_genotype(TEACHER), STUDENT: student}
    for role, genotype in genotypes.items():
        genotype.save(folder / f"{role}.json")
    return genotypes


def _best_scored(
    folder: pathlib.Path,
    source: SegmentationSource,
    data: DataSettings,
    space: SearchSpace,
    settings: SearchSettings,
    latency_ms: Callable[[Genotype], float],
    pretrained: pathlib.Path | None,
    seed: int,
) -> Genotype:
    """Scores networks, and returns the best one in the band."""
    band = (settings.min_fps, settings.max_fps)
    keras.utils.set_random_seed(seed)
    model = space.search_model(source.num_classes, seed, settings.precision)
    if pretrained is not None:
        model.supernet.load_weights(pretrained)
    ranker = make_ranker(model, source, data, settings, seed)
    score = ScoredNetworks(folder / CANDIDATES, lambda each: ranker(STUDENT, each), latency_ms)
    if settings.strategy == EVOLUTION:
        found = evolution(space, score, settings.networks, settings.population, seed)
    else:
        drawn = random_networks(space, latency_ms, band, settings.networks, seed)
        found = [score(genotype) for genotype in drawn]
    points = {
        TradeOff(1000.0 / latency_ms(each.genotype), each.miou): each
        for each in found
        if not math.isnan(each.miou)
    }
    front = [points[point].to_json() for point in pareto_front(list(points))]
    write_json(folder / "front.json", without_nan(front))
    best = best_candidate({each.genotype.id: each for each in found}, band)
    if band_distance(best, band):
        logging.warning(
            "None of %d scored networks is inside the band of %g to %g FPS; the nearest one "
            "was chosen. Increase --search_networks, or change --search_min_fps and "
            "--search_max_fps.",
            len(found),
            *band,
        )
    return best.genotype
