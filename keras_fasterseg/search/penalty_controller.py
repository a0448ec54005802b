"""Control of the latency penalty that keeps a search inside its band of frame rates."""

from collections.abc import Callable, Sequence

import keras
from keras import ops


class PenaltyController(keras.callbacks.Callback):
    """Adapts the weight of the latency penalty after every epoch.

    The weight is halved if any candidate reaches `max_fps`, and doubled if any candidate is at or
    below `min_fps`. Otherwise it is unchanged. If both occur, they cancel; in the released code the
    halving wins.

    A two-sided penalty also slows down networks that are too fast. Its weight is doubled if a frame
    rate is outside the band at either end, and never halved. The frame rate should then be that of
    the expected latency, which the penalty controls. While choices are undecided, the candidates
    may stay outside the band, and the weight would grow without limit.

    Args:
        candidate_fps: Returns the frame rates of the current candidates, or the expected one.
        min_fps: Lower end of the band.
        max_fps: Upper end of the band.
        two_sided: Whether the penalty is smallest inside the band, not for the fastest network.

    Raises:
        ValueError: The band is empty.

    Reference:
        FasterSeg's released search loop (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        candidate_fps: Callable[[], Sequence[float]],
        min_fps: float,
        max_fps: float,
        two_sided: bool = False,
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
        self.two_sided = two_sided

    def on_epoch_end(self, epoch, logs=None):
        variable = self.model.penalty_weight
        before = float(ops.convert_to_numpy(variable))
        weight = adapted_weight(
            before, self.candidate_fps(), self.min_fps, self.max_fps, self.two_sided
        )
        variable.assign(weight)
        if logs is not None:
            logs["penalty_weight"] = weight


def adapted_weight(
    weight: float,
    candidate_fps: Sequence[float],
    min_fps: float,
    max_fps: float,
    two_sided: bool = False,
) -> float:
    """Returns the next epoch's penalty weight; see `PenaltyController`."""
    fast = any(fps >= max_fps for fps in candidate_fps)
    slow = any(fps <= min_fps for fps in candidate_fps)
    if two_sided:
        return 2 * weight if fast or slow else weight
    return weight * (2 if slow else 1) / (2 if fast else 1)
