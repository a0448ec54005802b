"""Settings of a conversion."""

import dataclasses

from keras_fasterseg.data.shard_index import ENCODINGS, PNG
from keras_fasterseg.setting import AT_LEAST_ONE, POSITIVE, Limits, setting


@dataclasses.dataclass(frozen=True)
class ConversionSettings:
    """Splits to convert, and their storage."""

    splits: str = setting("train,val", "Splits to convert, separated by commas.")
    encoding: str = setting(
        PNG,
        "How pixels are stored: png (small) or raw (4 bytes a pixel, nothing to decode).",
        limits=Limits(choices=ENCODINGS),
    )
    downsample: int = setting(
        1, "Images and labels are stored smaller by this factor.", limits=AT_LEAST_ONE
    )
    shard_mb: float = setting(
        128.0, "A shard that holds so many millions of bytes is closed.", limits=POSITIVE
    )
