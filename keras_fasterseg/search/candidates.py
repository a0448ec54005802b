"""Networks that a search would derive now, and which of them it takes."""

import dataclasses
import math
from collections.abc import Mapping

from keras_fasterseg.spaces.genotype import Genotype

LATENCY_EXPONENT = -0.07


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network that the search would derive now.

    Attributes:
        prediction: The supernet's prediction that stands for it.
        genotype: The network.
        miou: Mean IoU of that prediction.
        latency_ms: Latency by the table; `None` where no table speaks of it.
    """

    prediction: str
    genotype: Genotype
    miou: float
    latency_ms: float | None = None

    @property
    def objective(self) -> float:
        """mIoU times latency to the power -.07, larger is better; mIoU alone without a latency.

        Reference:
            FasterSeg's released code (https://arxiv.org/abs/1912.10917); MnasNet's objective.
        """
        if self.latency_ms is None:
            return self.miou
        return self.miou * self.latency_ms**LATENCY_EXPONENT


def best_candidate(
    candidates: Mapping[str, Candidate], band: tuple[float, float] | None = None
) -> Candidate:
    """The candidate of the largest objective among those nearest to a band of frame rates.

    All candidates inside the band are equally near; so are those without a latency. An objective
    that is NaN counts as the least.

    Args:
        candidates: At least one.
        band: Lowest and highest frame rate; `None` leaves frame rates to the objective.
    """

    def key(candidate: Candidate) -> tuple[float, float]:
        objective = -math.inf if math.isnan(candidate.objective) else candidate.objective
        return -band_distance(candidate, band), objective

    return max(candidates.values(), key=key)


def band_distance(candidate: Candidate, band: tuple[float, float] | None) -> float:
    """Frames per second between a candidate and the band's nearer end; 0 inside the band."""
    if band is None or candidate.latency_ms is None:
        return 0.0
    fps = 1000.0 / candidate.latency_ms
    return max(band[0] - fps, fps - band[1], 0.0)
