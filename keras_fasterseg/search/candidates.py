"""Candidates of a search, and the choice of the best one."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import genotype_from_json

LATENCY_EXPONENT = -0.07


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network that the search could choose.

    Attributes:
        prediction: Name of the supernet's prediction that represents it.
        genotype: The network.
        miou: Its score, a mean IoU.
        latency_ms: Latency predicted by the table; `None` without a table.
    """

    prediction: str
    genotype: Genotype
    miou: float
    latency_ms: float | None = None

    @property
    def objective(self) -> float:
        """mIoU times latency to the power -.07, or mIoU alone without a latency; larger is better.

        Reference:
            FasterSeg's released code (https://arxiv.org/abs/1912.10917); MnasNet's objective.
        """
        if self.latency_ms is None:
            return self.miou
        return self.miou * self.latency_ms**LATENCY_EXPONENT

    def to_json(self) -> dict[str, Any]:
        """Its JSON object; a NaN stays a NaN."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {**fields, "genotype": self.genotype.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Candidate":
        """Makes a candidate of its JSON object; a missing mIoU is NaN."""
        miou = math.nan if content["miou"] is None else content["miou"]
        genotype = genotype_from_json(content["genotype"])
        return cls(**{**content, "genotype": genotype, "miou": miou})


def best_candidate(
    candidates: Mapping[str, Candidate], band: tuple[float, float] | None = None
) -> Candidate:
    """Returns the candidate with the largest objective among those nearest to the band.

    Candidates inside the band, and those without a latency, all have distance 0. A NaN objective
    counts as the lowest.

    Args:
        candidates: The candidates, at least one.
        band: Lowest and highest frame rate; with `None`, only the objective counts.
    """

    def key(candidate: Candidate) -> tuple[float, float]:
        objective = -math.inf if math.isnan(candidate.objective) else candidate.objective
        return -band_distance(candidate, band), objective

    return max(candidates.values(), key=key)


def band_distance(candidate: Candidate, band: tuple[float, float] | None) -> float:
    """Distance in FPS from a candidate to the nearer end of the band; 0 inside the band."""
    if band is None or candidate.latency_ms is None:
        return 0.0
    fps = 1000.0 / candidate.latency_ms
    return max(band[0] - fps, fps - band[1], 0.0)


def network_of_front(path: PathLike, fps: float) -> Genotype:
    """The best-scored network of a `front.json` that is predicted to reach a frame rate.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is not a front, or none of its networks is fast enough.
    """
    content = read_json(path)
    try:
        front = [Candidate.from_json(each) for each in content]
        rates = [1000.0 / float(each.latency_ms or math.inf) for each in front]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the front.json of a search ({error!r}).") from error
    fast = [each for each, rate in zip(front, rates, strict=True) if rate >= fps]
    require(
        bool(fast),
        f"No network in {path} is predicted to reach {fps:g} FPS; the fastest reaches "
        f"{max(rates, default=0.0):.1f}.",
    )
    return max(fast, key=lambda each: -math.inf if math.isnan(each.miou) else each.miou).genotype
