"""Settings of the batches of all trainings."""

import dataclasses

from keras_fasterseg.setting import (
    LEAST_TRAINED_SIDE,
    POSITIVE,
    SHARE,
    Limits,
    setting,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Random changes of training images, besides mirroring and cropping, and batch statistics."""

    scales: tuple[float, ...] = setting(
        (0.75, 1.0, 1.25),
        "Scale factors; every image is resized by one of them, drawn at random, before cropping. "
        "1: images keep their size.",
        limits=POSITIVE,
        added=True,
    )
    shift: int = setting(
        0,
        "Crops are moved by up to this many pixels, at random in every direction; the border that "
        "appears is ignored.",
        # Less than the side of any crop.
        limits=Limits(at_least=0, below=LEAST_TRAINED_SIDE),
        added=True,
    )
    color_jitter: float = setting(
        0.0,
        "Brightness, contrast and saturation of every crop are multiplied by factors between 1 "
        "minus and 1 plus this number, drawn at random.",
        limits=SHARE,
        added=True,
    )
    sync_batch_norm: bool = setting(
        True,
        "Whether batch normalisation uses the statistics of the complete batch if several devices "
        "share it, instead of each its part's.",
        added=True,
    )
