"""Settings of multi-scale, mirrored and sliding-window inference."""

import dataclasses

from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.setting import IMAGE_SIZE, POSITIVE, SHARE, Size, setting


@dataclasses.dataclass(frozen=True)
class PassSettings:
    """Passes over an image whose class probabilities are averaged."""

    scales: tuple[float, ...] = setting(
        (1.0,),
        "Scale factors of the image, comma separated; one pass per factor.",
        limits=POSITIVE,
    )
    flip: bool = setting(False, "Add a pass over the mirrored image at every scale.")
    window: Size | None = setting(
        None,
        "Height x width of the windows that each pass slides over the image. Default: whole "
        "images.",
        limits=IMAGE_SIZE,
    )
    window_overlap: float = setting(
        1 / 3, "Minimum overlap of neighbouring windows, as a share of the window.", limits=SHARE
    )


ONE_PASS = PassSettings()
"""A single pass over the complete image."""


def with_passes(runner: Runner, settings: PassSettings) -> Runner:
    """Wraps `runner` so that it makes these passes; returns it unchanged for a single pass.

    Raises:
        ValueError: See `MultiPassRunner`.
    """
    if settings.scales == (1.0,) and not settings.flip and settings.window is None:
        return runner
    # Imported here: flags need the settings above, but not TensorFlow.
    from keras_fasterseg.inference.multi_pass_runner import MultiPassRunner

    return MultiPassRunner(
        runner,
        scales=settings.scales,
        flip=settings.flip,
        window=settings.window,
        window_overlap=settings.window_overlap,
    )
