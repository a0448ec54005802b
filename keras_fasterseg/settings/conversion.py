"""Settings of a data set's conversion to shards."""

import dataclasses

from keras_fasterseg.data.shard_index import ENCODINGS, PNG
from keras_fasterseg.setting import AT_LEAST_ONE, POSITIVE, Limits, setting


@dataclasses.dataclass(frozen=True)
class ConversionSettings:
    """Splits to convert, and the storage format."""

    splits: str = setting("train,val", "Splits to convert, comma separated.")
    encoding: str = setting(
        PNG,
        "Storage of pixels: png (small) or raw (4 bytes per pixel, nothing to decode).",
        limits=Limits(choices=ENCODINGS),
    )
    downsample: int = setting(1, "Downsampling factor of images and labels.", limits=AT_LEAST_ONE)
    shard_mb: float = setting(
        128.0, "Size in MB (millions of bytes) at which a shard is closed.", limits=POSITIVE
    )
