"""Monotonic frame times of a video, even if its time stamps jump."""

import fractions

_SECONDS_OF_A_JUMP = 10
_MOST_REPEATS = 10


class FrameClock:
    """Converts the time stamps of frames to times that start at 0 and only advance.

    Time stamps jump in streams that were joined without re-encoding, and in cameras that were
    restarted. At a jump, the clock advances by one frame and follows the time stamps from there, so
    that every frame keeps its duration.

    A time stamp that repeats, or goes back by less than a frame, is not a jump: its frame is shown
    one unit after the last, and later time stamps keep their offset. More than 10 such time stamps
    in a row count as a jump.

    Args:
        frame_rate: Average frames per second.
        time_base: Seconds per unit of time stamps and times.
        may_jump: Whether the format lets time stamps jump ahead as well. A gap of more than 10
            seconds then counts as a jump, not as a pause.

    Attributes:
        jumps: Number of jumps so far.
    """

    def __init__(
        self, frame_rate: fractions.Fraction, time_base: fractions.Fraction, may_jump: bool = False
    ) -> None:
        # Encoders reject two frames with the same time.
        self.step = max(fractions.Fraction(1), 1 / (frame_rate * time_base))
        self.jumps = 0
        self._longest = _SECONDS_OF_A_JUMP / time_base if may_jump else None
        self._shift: fractions.Fraction | None = None
        self._last = -self.step
        self._repeats = 0

    @property
    def end(self) -> fractions.Fraction:
        """End of the last frame, in units of `time_base`."""
        return self._last + self.step

    def time(self, stamp: int | None) -> int:
        """Time at which the next frame is shown, in units of `time_base`.

        Args:
            stamp: Time stamp of the frame. None, if it has none, means one frame after the last.
        """
        shown = self.end
        if stamp is not None:
            if self._shift is None:
                self._shift = shown - stamp
            gap = stamp + self._shift - self._last
            is_repeated = -self.step < gap < 1
            self._repeats = self._repeats + 1 if is_repeated else 0
            if is_repeated and self._repeats <= _MOST_REPEATS:
                shown = self._last + 1
            elif gap < 1 or (self._longest is not None and gap > self._longest):
                self.jumps += 1
                self._shift = shown - stamp
            else:
                shown = stamp + self._shift
        self._last = shown
        return round(shown)
