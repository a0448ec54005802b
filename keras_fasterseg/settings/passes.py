"""Passes over an image before its pixels get their classes."""

import dataclasses

from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.setting import IMAGE_SIZE, POSITIVE, SHARE, Size, setting


@dataclasses.dataclass(frozen=True)
class PassSettings:
    """Passes over an image whose class probabilities are averaged."""

    scales: tuple[float, ...] = setting(
        (1.0,), "Factors of the image's size, one pass each.", limits=POSITIVE
    )
    flip: bool = setting(False, "A second pass at every scale, over the mirrored image.")
    window: Size | None = setting(
        None,
        "Height x width of the windows that a pass is cut into; unset: whole images.",
        limits=IMAGE_SIZE,
    )
    window_overlap: float = setting(
        1 / 3, "Share of a window that it has in common with the next, at least.", limits=SHARE
    )


ONE_PASS = PassSettings()
"""Every image once and whole."""


def with_passes(runner: Runner, settings: PassSettings) -> Runner:
    """`runner`, looking at every image as `settings` say; itself where that is once and whole.

    Raises:
        ValueError: See `MultiPassRunner`.
    """
    if settings.scales == (1.0,) and not settings.flip and settings.window is None:
        return runner
    # Here, since flags need the settings above and no TensorFlow.
    from keras_fasterseg.inference.multi_pass_runner import MultiPassRunner

    return MultiPassRunner(
        runner,
        scales=settings.scales,
        flip=settings.flip,
        window=settings.window,
        window_overlap=settings.window_overlap,
    )
