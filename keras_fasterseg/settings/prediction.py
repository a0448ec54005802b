"""Settings of predictions."""

import dataclasses

from keras_fasterseg.setting import AT_LEAST_ONE, IMAGE_SIZE, Limits, Size, setting
from keras_fasterseg.settings.stages import ReadingSettings

CLASSES, DATASET = "classes", "dataset"
"""Whose ids label maps hold."""


@dataclasses.dataclass(frozen=True)
class PredictSettings(ReadingSettings):
    """Runtime of the network, and pictures that are made."""

    runtime: str | None = setting(
        None, "What runs the artefact, as for tools.benchmark; unset: the artefact's own."
    )
    threads: int | None = setting(
        None, "CPU threads of the runtime; unset: its own choice.", limits=AT_LEAST_ONE
    )
    input_size: Size | None = setting(
        None,
        "Height x width that a network.keras is converted for, in runtimes that must know it.",
        limits=IMAGE_SIZE,
    )
    stretch: bool = setting(
        False,
        "Resize images to the one size of an export even if that changes their proportions by more "
        "than 10 %, for a network trained on such images; unset: they are padded.",
    )
    opacity: float = setting(
        0.5,
        "How much the colours hide of the image, above 0; 1 shows colours alone.",
        limits=Limits(above=0),
    )
    legend: bool = setting(
        False,
        "Names of the classes below overlays: of an image those that occur, of a video all.",
    )
    side_by_side: str | None = setting(
        None, "Another artefact, whose overlays stand beside those of the first."
    )
    overlay_only: bool = setting(
        False, "Of images, write overlays only, without label maps and side by side."
    )
    ids: str = setting(
        CLASSES,
        "What the pixels of label maps hold: classes, numbered from 0 as the network has them, or "
        "dataset, the ids or colours in label files of --dataset.",
        limits=Limits(choices=(CLASSES, DATASET)),
    )
    label_maps: bool = setting(False, "Of a video, write the label map of every frame as well.")
    max_frames: int | None = setting(
        None, "Frames of a video or camera after which it ends.", limits=AT_LEAST_ONE
    )
