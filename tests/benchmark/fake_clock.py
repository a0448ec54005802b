"""A clock that goes only when it is told, so that times can be asserted."""


class FakeClock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.nanoseconds = 0

    def perf_counter_ns(self) -> int:
        return self.nanoseconds

    def sleep(self, seconds: float) -> None:
        self.nanoseconds += round(1e9 * seconds)
