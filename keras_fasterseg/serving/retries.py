"""Sending a request again when its failure was one of the moment."""

import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from absl import logging

from keras_fasterseg.serving.errors import TransientServingError

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent, and how long to wait before it is sent again.

    Attributes:
        attempts: How often at most, the first time counted.
        first_delay_s: Seconds to wait before the second attempt; doubled for every further one.
        maximum_delay_s: What no wait exceeds, in seconds.
    """

    attempts: int = 4
    first_delay_s: float = 0.5
    maximum_delay_s: float = 8.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"`attempts` must be at least 1. Received: attempts={self.attempts}")
        if not 0 <= self.first_delay_s <= self.maximum_delay_s:
            raise ValueError(
                "`first_delay_s` must lie between 0 and maximum_delay_s. Received: "
                f"first_delay_s={self.first_delay_s}, maximum_delay_s={self.maximum_delay_s}"
            )

    def delays_s(self, draw: Callable[[], float] = random.random) -> Iterator[float]:
        """The waits between the attempts.

        Args:
            draw: Gives numbers in [0, 1). Each wait is shortened by up to a half of it, so that
                clients which a server has turned away together do not come back together.
        """
        delay = self.first_delay_s
        for _ in range(self.attempts - 1):
            yield delay * (1 - draw() / 2)
            delay = min(2 * delay, self.maximum_delay_s)


def call_with_retries(
    call: Callable[[], Result],
    policy: RetryPolicy,
    *,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> Result:
    """What `call` returns at its first attempt that does not fail for the moment.

    Args:
        call: Raises `TransientServingError` for what may pass; every other error ends it at once.
        policy: How often and how long.
        sleep: Waits that many seconds.
        draw: See `RetryPolicy.delays_s`.

    Raises:
        TransientServingError: The last attempt failed, too.
    """
    for delay in policy.delays_s(draw):
        try:
            return call()
        except TransientServingError as error:
            logging.info("%s Trying again in %.1f s.", error, delay)
            sleep(delay)
    return call()
