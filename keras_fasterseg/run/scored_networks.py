"""Scores of networks with inherited weights."""

import pathlib
import time
from collections.abc import Callable
from typing import Any

from absl import logging

from keras_fasterseg.data.search_parts import search_parts
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.run.datasets import batch_options, estimation_batches, ranking_batches
from keras_fasterseg.run.search_report import without_nan
from keras_fasterseg.search.candidates import Candidate
from keras_fasterseg.search.ranking import Ranker
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.base import SearchModel
from keras_fasterseg.spaces.genotype import Genotype


def make_ranker(
    model: SearchModel,
    source: SegmentationSource,
    data: DataSettings,
    settings: SearchSettings,
    seed: int,
) -> Ranker:
    """Returns the scorer of networks: it scores on held-out images; see `search_parts`."""
    parts = search_parts(source.samples(data.train_split), seed)
    return Ranker(
        model,
        estimation_batches(source, parts.fitted, **batch_options(settings, data, seed)),
        ranking_batches(source, parts.held_out, settings.validation_images, settings.downsample),
    )


class ScoredNetworks:
    """Scores networks and writes every score to a JSON file at once.

    No network is scored twice, not even after an interruption.

    Args:
        path: The file; scores that it has are used again.
        score: Returns the mean IoU of a network.
        latency_ms: Returns its predicted latency.
    """

    def __init__(
        self,
        path: pathlib.Path,
        score: Callable[[Genotype], float],
        latency_ms: Callable[[Genotype], float],
    ):
        self.path = path
        self._score = score
        self._latency_ms = latency_ms
        self._records: dict[str, dict[str, Any]] = {}
        if path.is_file():
            self._records = {
                Candidate.from_json(each["candidate"]).genotype.id: each for each in read_json(path)
            }

    def __call__(self, genotype: Genotype) -> Candidate:
        """Scores a network, or returns its score."""
        if genotype.id not in self._records:
            start = time.perf_counter()
            candidate = Candidate(
                "inherited", genotype, self._score(genotype), self._latency_ms(genotype)
            )
            self._records[genotype.id] = without_nan(
                {"candidate": candidate.to_json(), "seconds": time.perf_counter() - start}
            )
            write_json(self.path, list(self._records.values()))
            logging.info(
                "Network %d, %s: mIoU %.4f, predicted FPS %.1f",
                len(self._records),
                genotype.id,
                candidate.miou,
                1000.0 / self._latency_ms(genotype),
            )
        return Candidate.from_json(self._records[genotype.id]["candidate"])
