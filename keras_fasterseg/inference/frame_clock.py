"""Times of a video's frames that only advance, whatever its time stamps do."""

import fractions

_SECONDS_OF_A_JUMP = 10
_MOST_REPEATS = 10


class FrameClock:
    """Turns the time stamps of frames into times that start at 0 and only advance.

    Streams that were joined without being written anew, or cameras that were started again, have
    time stamps that jump. There the clock advances by one frame and follows the time stamps from
    that frame on, so that every frame is shown as long as it should be.

    A time stamp that repeats, or goes back by less than a frame, is no jump: its frame is shown one
    unit after the last, and the time stamps after it count as they did. Only where more than 10
    such follow one another do the time stamps not advance, and the clock does.

    Args:
        frame_rate: Frames a second, on average.
        time_base: Seconds of a unit of time stamps and times.
        may_jump: Whether the format lets time stamps jump ahead as well: a gap of more than 10
            seconds is no pause then.

    Attributes:
        jumps: How often the time stamps jumped.
    """

    def __init__(
        self, frame_rate: fractions.Fraction, time_base: fractions.Fraction, may_jump: bool = False
    ) -> None:
        # Encoders take no two frames of one time.
        self.step = max(fractions.Fraction(1), 1 / (frame_rate * time_base))
        self.jumps = 0
        self._longest = _SECONDS_OF_A_JUMP / time_base if may_jump else None
        self._shift: fractions.Fraction | None = None
        self._last = -self.step
        self._repeats = 0

    @property
    def end(self) -> fractions.Fraction:
        """When the frame that was last ends, in units of `time_base`."""
        return self._last + self.step

    def time(self, stamp: int | None) -> int:
        """When the next frame is shown, in units of `time_base`.

        Args:
            stamp: Its time stamp; None if it has none, which is one frame later than the last.
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
