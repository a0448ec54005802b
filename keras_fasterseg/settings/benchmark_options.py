"""Options of a benchmark besides its repetitions."""

import dataclasses

from keras_fasterseg.benchmark.harness import PAUSE_MS, SETTLE_MS
from keras_fasterseg.benchmark.scopes import DEFAULT_SCOPE, SCOPES
from keras_fasterseg.setting import AT_LEAST_ONE, AT_LEAST_ZERO, Limits, setting


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """Scope of the timing, and measurements beside it."""

    scope: str = setting(
        DEFAULT_SCOPE,
        "What is timed. "
        + "; ".join(f"{scope.name}: {scope.description}" for scope in SCOPES.values())
        + ".",
        limits=Limits(choices=tuple(SCOPES)),
    )
    threads: int | None = setting(
        None, "CPU threads of every runtime; unset: its own choice.", limits=AT_LEAST_ONE
    )
    pause_ms: float = setting(
        PAUSE_MS,
        "Untimed milliseconds between calls of different runtimes, until the worker threads of the "
        "last one have come to rest.",
        limits=AT_LEAST_ZERO,
    )
    settle_ms: float = setting(
        SETTLE_MS,
        "Milliseconds of untimed calls of a runtime, at least one, after that pause and before the "
        "call that is timed: caches and threads are then as in steady use. 0: none.",
        limits=AT_LEAST_ZERO,
    )
    image: str | None = setting(
        None, "Image file to run on, resized to the input size; unset: random bytes."
    )
    memory: bool = setting(
        True, "Measure the peak of memory, each runtime in a process of its own."
    )
    peak: bool = setting(
        True, "Measure large matrix products, for the share of the machine's peak."
    )
    allow_load: bool = setting(
        False,
        "Measure also where other programs keep the cores busy more than half of the time; what "
        "they do is in the record.",
    )
    num_classes: int = setting(
        19, "Classes of a genotype's network; exported ones have theirs.", limits=AT_LEAST_ONE
    )
