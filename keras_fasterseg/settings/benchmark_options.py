"""Options of a benchmark, except its size and repetitions."""

import dataclasses

from keras_fasterseg.benchmark.harness import PAUSE_MS, SETTLE_MS
from keras_fasterseg.benchmark.scopes import DEFAULT_SCOPE, SCOPES
from keras_fasterseg.setting import AT_LEAST_ONE, AT_LEAST_ZERO, Limits, setting


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """Scope of the timing, and optional extra measurements."""

    scope: str = setting(
        DEFAULT_SCOPE,
        "Scope of the timing. "
        + "; ".join(f"{scope.name}: {scope.description}" for scope in SCOPES.values())
        + ".",
        limits=Limits(choices=tuple(SCOPES)),
    )
    threads: int | None = setting(
        None,
        "CPU threads of every runtime. Default: depends on the runtime (docs/benchmark.md).",
        limits=AT_LEAST_ONE,
    )
    pause_ms: float = setting(
        PAUSE_MS,
        "Pause in milliseconds between calls of different runtimes, so that the worker threads of "
        "the previous one come to rest.",
        limits=AT_LEAST_ZERO,
    )
    settle_ms: float = setting(
        SETTLE_MS,
        "Milliseconds of untimed warm-up calls (at least one) after the pause and before each "
        "timed call, so that caches and threads are warm. 0: none.",
        limits=AT_LEAST_ZERO,
    )
    image: str | None = setting(
        None, "Image file to run on, resized to the input size. Default: random pixels."
    )
    memory: bool = setting(True, "Measure peak memory, each runtime in a separate process.")
    peak: bool = setting(
        True, "Measure large matrix products, to report the share of the machine's peak."
    )
    allow_load: bool = setting(
        False,
        "Measure even if other programs keep the cores busy more than half of the time. Their load "
        "is recorded with the result.",
    )
    num_classes: int = setting(
        19, "Number of classes, for a genotype only; exports record their own.", limits=AT_LEAST_ONE
    )
