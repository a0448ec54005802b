"""Settings of predictions."""

import dataclasses

from keras_fasterseg.setting import AT_LEAST_ONE, IMAGE_SIZE, Limits, Size, setting
from keras_fasterseg.settings.stages import ReadingSettings

CLASSES, DATASET = "classes", "dataset"
"""The ids in label maps: class numbers, or the ids of the data set's label files."""


@dataclasses.dataclass(frozen=True)
class PredictSettings(ReadingSettings):
    """Runtime of the network, and the pictures to write."""

    runtime: str | None = setting(
        None, "Runtime, as for tools.benchmark. Default: the runtime of the artefact's format."
    )
    threads: int | None = setting(
        None,
        "CPU threads of the runtime. Default: depends on the runtime (docs/benchmark.md).",
        limits=AT_LEAST_ONE,
    )
    input_size: Size | None = setting(
        None,
        "Height x width for which a network.keras is converted, for runtimes that need a fixed "
        "size.",
        limits=IMAGE_SIZE,
    )
    stretch: bool = setting(
        False,
        "Resize images to the fixed size of an export even if that changes their aspect ratio by "
        "more than 10 %; for networks trained on such images. Default: images are padded.",
    )
    opacity: float = setting(
        0.5,
        "Opacity of the colours in overlays, above 0 and at most 1; 1 hides the image.",
        limits=Limits(above=0),
    )
    legend: bool = setting(
        False,
        "Add a legend below overlays: for images, only classes present; for videos, all classes.",
    )
    side_by_side: str | None = setting(
        None, "Second artefact; its overlays are shown next to those of the first."
    )
    overlay_only: bool = setting(
        False, "For images, write only overlays: no label maps and no side-by-side pictures."
    )
    ids: str = setting(
        CLASSES,
        "Pixel values of label maps: classes (class numbers of the network, from 0) or dataset "
        "(the ids or colours that label files of --dataset use).",
        limits=Limits(choices=(CLASSES, DATASET)),
    )
    label_maps: bool = setting(False, "For videos, also write the label map of every frame.")
    max_frames: int | None = setting(
        None,
        "Stop after this many frames of a video or camera. Default: at the end.",
        limits=AT_LEAST_ONE,
    )
