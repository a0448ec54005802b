"""Control of the latency penalty that keeps a search inside its band of frame rates."""

from collections.abc import Callable, Sequence

import keras


class PenaltyController(keras.callbacks.Callback):
    """Adapts the weight of the latency penalty after every epoch.

    The weight is halved if any candidate reaches `max_fps`, and doubled if any candidate is at or
    below `min_fps`. Otherwise it is unchanged. If both occur, they cancel; in the released code the
    halving wins.

    Args:
        candidate_fps: Returns the frame rates of the current candidates.
        min_fps: Lower end of the band.
        max_fps: Upper end of the band.

    Raises:
        ValueError: The band is empty.

    Reference:
        FasterSeg's released search loop (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self, candidate_fps: Callable[[], Sequence[float]], min_fps: float, max_fps: float
    ):
        super().__init__()
        if not 0 < min_fps < max_fps:
            raise ValueError(
                "`min_fps` must be positive and below `max_fps`. "
                f"Received: min_fps={min_fps}, max_fps={max_fps}"
            )
        self.candidate_fps = candidate_fps
        self.min_fps = min_fps
        self.max_fps = max_fps

    def on_epoch_end(self, epoch, logs=None):
        weight = self.model.penalty_weight
        weight.assign(
            adapted_weight(float(weight), self.candidate_fps(), self.min_fps, self.max_fps)
        )
        if logs is not None:
            logs["penalty_weight"] = float(weight)


def adapted_weight(
    weight: float, candidate_fps: Sequence[float], min_fps: float, max_fps: float
) -> float:
    """Returns the next epoch's penalty weight; see `PenaltyController`."""
    if any(fps >= max_fps for fps in candidate_fps):
        weight /= 2
    if any(fps <= min_fps for fps in candidate_fps):
        weight *= 2
    return weight
