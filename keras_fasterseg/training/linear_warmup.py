"""Learning rate schedule that starts training at zero and grows linearly."""

from typing import Any

import keras
from keras import ops

LearningRateSchedule = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class LinearWarmup(LearningRateSchedule):
    """Multiplies a schedule by `step / warmup_steps` in the first `warmup_steps` steps.

    The schedule itself also advances in these steps: from step `warmup_steps` on both are equal.

    Args:
        schedule: The schedule to warm up.
        warmup_steps: Number of steps until the full rate, at least 1.

    Raises:
        ValueError: `warmup_steps` is below 1.

    Reference:
        Goyal et al., "Accurate, Large Minibatch SGD", section 2.2 (gradual warmup), here from 0.
    """

    def __init__(self, schedule: LearningRateSchedule, warmup_steps: int) -> None:
        super().__init__()
        if warmup_steps < 1:
            raise ValueError(
                f"`warmup_steps` must be at least 1. Received: warmup_steps={warmup_steps}"
            )
        self.schedule = schedule
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        share = ops.cast(step, "float32") / self.warmup_steps
        return self.schedule(step) * ops.minimum(share, 1.0)

    def get_config(self) -> dict[str, Any]:
        schedule = keras.optimizers.schedules.serialize(self.schedule)
        return {"schedule": schedule, "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LinearWarmup":
        schedule = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(schedule, config["warmup_steps"])
