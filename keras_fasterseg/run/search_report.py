"""Report on a search after every epoch."""

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from absl import logging

from keras_fasterseg.files import write_json
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.epoch_summaries import EpochSummaries
from keras_fasterseg.search.candidates import Candidate, band_distance, best_candidate
from keras_fasterseg.search.ranking import Ranker
from keras_fasterseg.search.supernet_evaluation import SupernetEvaluator
from keras_fasterseg.spaces.base import SearchModel
from keras_fasterseg.spaces.cost import predicted_latency_ms
from keras_fasterseg.spaces.roles import STUDENT


class SearchReport(keras.callbacks.Callback):
    """Derives the current networks after every epoch and records their scores and frame rates.

    Scores are those of networks with inherited weights; see `Ranker`. Writes below `folder`:
    `epoch_NNN/{teacher,student}.json` (genotypes), `search.json` (one record per epoch: entropies,
    scores, predicted frame rates and their band, lambda), `ranking.json` (the networks of all
    epochs, scored again at the end) and TensorBoard scalars.

    Args:
        folder: Folder of the search.
        table: Latencies of the student's operations.
        ranker: Scores networks.
        band: Lowest and highest frame rate that the search aims for.
        noise: Result of `noise_entropies`, recorded beside the entropies.

    Attributes:
        best: By role, the best candidate of the last epoch; after `choose`, of all epochs.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        table: LatencyTable,
        ranker: Ranker,
        band: tuple[float, float],
        noise: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
    ):
        super().__init__()
        self.folder = folder
        self.table = table
        self.ranker = ranker
        self.band = band
        self.noise = noise or {}
        self.records: list[dict[str, Any]] = []
        self.best: dict[str, Candidate] = {}
        self.winners: dict[str, list[Candidate]] = {}
        self._summaries = EpochSummaries(folder / "tensorboard" / "architecture")

    @property
    def search_model(self) -> SearchModel:
        """The supernet and the architectures."""
        return self.model.model

    def candidate_fps(self) -> list[float]:
        """Returns the predicted frame rates of the student's candidates."""
        genotypes = self.search_model.candidates(STUDENT).values()
        classes = self.search_model.num_classes
        return [1000.0 / predicted_latency_ms(each, self.table, classes) for each in genotypes]

    def get_state(self) -> dict[str, Any]:
        """Returns all records and the best candidate of every epoch, for a checkpoint."""
        winners = {
            role: [each.to_json() for each in winners] for role, winners in self.winners.items()
        }
        return {"records": without_nan(self.records), "winners": without_nan(winners)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state that `get_state` returned."""
        self.records = list(state["records"])
        self.winners = {
            role: [Candidate.from_json(each) for each in winners]
            for role, winners in state["winners"].items()
        }
        self.best = {role: winners[-1] for role, winners in self.winners.items() if winners}
        write_json(self.folder / "search.json", self.records)

    def on_epoch_end(self, epoch, logs=None):
        record: dict[str, Any] = {
            "epoch": epoch,
            **{name: float(value) for name, value in (logs or {}).items()},
            "fps_band": list(self.band),
        }
        for role in self.search_model.architectures:
            candidates = self._candidates(role)
            best = self.best[role] = best_candidate(candidates, self.band)
            self.winners.setdefault(role, []).append(best)
            best.genotype.save(self.folder / f"epoch_{epoch:03d}" / f"{role}.json")
            record[role] = {
                "genotype": best.genotype.id,
                "prediction": best.prediction,
                "entropy": self.search_model.entropies(role),
                **({"noise_entropy": dict(self.noise[role][epoch])} if role in self.noise else {}),
                "inherited_miou": {name: each.miou for name, each in candidates.items()},
                "fps_predicted": {
                    name: 1000.0 / each.latency_ms
                    for name, each in candidates.items()
                    if each.latency_ms is not None
                },
            }
        self.records.append(record)
        write_json(self.folder / "search.json", without_nan(self.records))
        self._write_scalars(epoch, record)
        student = record[STUDENT]
        logging.info(
            "Epoch %d: student %s, predicted FPS %s (band %g to %g), lambda %s, entropy %s, "
            "mIoU %s",
            epoch + 1,
            student["genotype"],
            _rounded(student["fps_predicted"], 1),
            *self.band,
            record.get("penalty_weight", "unchanged"),
            _rounded(student["entropy"], 4),
            _rounded(student["inherited_miou"], 3),
        )

    def discretization_gap(self, evaluator: SupernetEvaluator) -> dict[str, dict[str, float]]:
        """Compares the last epoch's supernet, its likeliest choices and its network, by role.

        Returns:
            By role, for the last epoch's best candidate: `supernet_miou` of the prediction that
            represents it, `one_hot_miou` of the same with only the likeliest choices, and
            `inherited_miou` of the network.
        """
        return {
            role: {
                "supernet_miou": evaluator(role)[winners[-1].prediction],
                "one_hot_miou": evaluator(role, discretized=True)[winners[-1].prediction],
                "inherited_miou": winners[-1].miou,
            }
            for role, winners in self.winners.items()
        }

    def choose(self) -> None:
        """Scores the best candidates of all epochs with the final weights, and keeps the best."""
        ranking = {}
        for role, winners in self.winners.items():
            different = {each.genotype.id: each for each in winners}
            scored = {
                key: dataclasses.replace(each, miou=self.ranker(role, each.genotype))
                for key, each in different.items()
            }
            best = self.best[role] = best_candidate(scored, self.band)
            ranking[role] = [
                {
                    **each.to_json(),
                    "epochs": [
                        epoch for epoch, own in enumerate(winners) if own.genotype.id == key
                    ],
                    "chosen": each is best,
                }
                for key, each in scored.items()
            ]
        write_json(self.folder / "ranking.json", without_nan(ranking))

    def outside_band(self) -> str | None:
        """Returns a warning if the chosen student is outside the band; otherwise `None`.

        The warning describes the changes of λ and names the flags to change.
        """
        best, (low, high) = self.best[STUDENT], self.band
        if best.latency_ms is None or band_distance(best, self.band) == 0:
            return None
        last = self.records[-1]
        predicted = ", ".join(f"{fps:.1f}" for fps in last[STUDENT]["fps_predicted"].values())
        weights = [each["penalty_weight"] for each in self.records if "penalty_weight" in each]
        sentence = (
            f"No epoch's candidate is inside the band of {low:g} to {high:g} FPS (predicted after "
            f"the last: {predicted}); the nearest one was chosen."
        )
        if weights:
            rises = sum(after > before for before, after in itertools.pairwise(weights))
            falls = sum(after < before for before, after in itertools.pairwise(weights))
            sentence += (
                f" λ was {weights[0]:g} after the first epoch and {weights[-1]:g} after the last "
                f"(increases: {rises}, decreases: {falls})."
            )
        if self.model.expected_ms is not None:
            return sentence + (
                " The penalty steers the expected latency; a network differs from it while choices "
                "are undecided. Increase --search_epochs or --search_architecture_learning_rate."
            )
        if 1000.0 / best.latency_ms < low:
            return sentence + (
                " For faster networks, increase --search_penalty_weight or --search_epochs, or "
                "lower --search_min_fps."
            )
        return sentence + (
            " For slower, more accurate networks, decrease --search_penalty_weight, increase "
            "--search_epochs, or raise --search_max_fps."
        )

    def _candidates(self, role: str) -> dict[str, Candidate]:
        candidates = {}
        for name, genotype in self.search_model.candidates(role).items():
            latency = None
            # The table covers the student's operations only; the teacher has no latency budget.
            if role == STUDENT:
                latency = predicted_latency_ms(genotype, self.table, self.search_model.num_classes)
            candidates[name] = Candidate(name, genotype, self.ranker(role, genotype), latency)
        return candidates

    def _write_scalars(self, epoch: int, record: dict[str, Any]) -> None:
        with self._summaries.epoch(epoch) as events:
            for name, value in _flattened(record):
                events.scalar(name, value)


def without_nan(value: Any) -> Any:
    """Returns `value` with every NaN replaced by `None`: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _flattened(value: Any, name: str = ""):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flattened(item, f"{name}/{key}" if name else key)
    elif isinstance(value, float):
        yield name, value


def _rounded(values: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}
