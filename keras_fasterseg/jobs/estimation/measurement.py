"""A step of a stage: its time, its memory and the weights behind it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Time and memory of a step of a stage, measured or computed.

    Attributes:
        first_seconds: Time of building, tracing and the first step.
        step_seconds: Median time of the steps after it; for operations of a latency table the
            mean, as they are of many sizes.
        memory_bytes: Greatest memory of the process.
        gpu_bytes: Greatest memory of the first GPU; `None` without one.
        weight_bytes: Size of all that a file of the trained weights holds.
        slot_bytes: Size of the optimizers' memory.
    """

    first_seconds: float
    step_seconds: float
    memory_bytes: int
    gpu_bytes: int | None = None
    weight_bytes: int = 0
    slot_bytes: int = 0
