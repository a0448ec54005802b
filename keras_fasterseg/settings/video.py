"""Settings of video object segmentation: data, training and tracking."""

import dataclasses

from keras_fasterseg.setting import (
    AT_LEAST_ONE,
    AT_LEAST_ZERO,
    POSITIVE,
    SHARE,
    TRAINED_SIZE,
    Limits,
    Size,
    setting,
)
from keras_fasterseg.settings.stages import ReadingSettings


@dataclasses.dataclass(frozen=True)
class VideoDataSettings(ReadingSettings):
    """Videos with masks: DAVIS 2017, or generated ones."""

    data_dir: str | None = setting(
        None,
        "Folder of videos in the layout of DAVIS 2017. Default: generate them in WORKDIR/videos.",
        path=True,
    )
    resolution: str = setting("480p", "Name of the folders of frames and masks.")
    train_split: str = setting("train", "Split to train on.")
    val_split: str = setting("val", "Split to score.")
    generated_train: int = setting(120, "Generated training sequences.", limits=AT_LEAST_ONE)
    generated_val: int = setting(20, "Generated validation sequences.", limits=AT_LEAST_ONE)
    generated_frames: int = setting(
        24, "Frames of a generated sequence.", limits=Limits(at_least=3)
    )
    generated_size: Size = setting(
        (128, 224), "Height x width of generated frames.", limits=Limits(at_least=64)
    )
    train_backgrounds: str | None = setting(
        None,
        "Folder of images for the backgrounds of generated training sequences. Default: drawn "
        "ones.",
        path=True,
    )
    val_backgrounds: str | None = setting(
        None,
        "Folder of images for the backgrounds of generated validation sequences. Default: drawn "
        "ones.",
        path=True,
    )


@dataclasses.dataclass(frozen=True)
class VideoTrainSettings:
    """Training of a network of video object segmentation. All defaults are our choices."""

    epochs: int = setting(40, "Number of epochs.", limits=AT_LEAST_ONE)
    steps_per_epoch: int = setting(250, "Steps per epoch.", limits=AT_LEAST_ONE)
    batch_size: int = setting(8, "Frames per step.", limits=AT_LEAST_ONE)
    input_size: Size = setting(
        (256, 448),
        "Height x width of crops and of the network's images, multiples of 32.",
        limits=TRAINED_SIZE,
    )
    max_objects: int = setting(
        10, "Objects per frame that the network proposes.", limits=AT_LEAST_ONE
    )
    trained_objects: int = setting(
        5,
        "Objects per frame whose masks and embeddings a step trains; if a frame has more, some "
        "are drawn at random.",
        limits=AT_LEAST_ONE,
    )
    attention: bool = setting(True, "Whether the feature pyramid uses mask-guided attention.")
    learning_rate: float = setting(
        1e-3,
        "Learning rate of AdamW in the first step; it falls to 0 along a cosine.",
        limits=POSITIVE,
    )
    weight_decay: float = setting(1e-4, "Weight decay of AdamW.", limits=AT_LEAST_ZERO)
    clip_norm: float = setting(5.0, "Largest norm of the gradient.", limits=POSITIVE)
    scales: tuple[float, ...] = setting(
        (1.0, 1.3),
        "Smallest and largest random scale of a frame; at 1 it just covers the crop.",
        limits=POSITIVE,
    )
    color_jitter: float = setting(
        0.2,
        "Brightness, contrast and saturation of every crop are multiplied by factors between 1 "
        "minus and 1 plus this number, drawn at random.",
        limits=SHARE,
    )
    center_weight: float = setting(1.0, "Weight of the loss of centres.", limits=AT_LEAST_ZERO)
    size_weight: float = setting(0.5, "Weight of the loss of sizes.", limits=AT_LEAST_ZERO)
    mask_weight: float = setting(1.0, "Weight of the loss of masks.", limits=AT_LEAST_ZERO)
    foreground_weight: float = setting(
        0.5, "Weight of the loss of the coarse mask.", limits=AT_LEAST_ZERO
    )
    boundary_weight: float = setting(0.5, "Weight of the loss of boundaries.", limits=AT_LEAST_ZERO)
    identity_weight: float = setting(0.5, "Weight of the loss of identities.", limits=AT_LEAST_ZERO)
    initial_weights: str | None = setting(
        None,
        "network.keras of a trained segmentation network, whose encoder's weights are inherited. "
        "Default: random weights.",
        path=True,
    )
    evaluate_every: int = setting(
        5,
        "Epochs between scores of the validation split; the last epoch is always scored.",
        limits=AT_LEAST_ONE,
    )

    def check(self, prefix: str) -> None:
        """Raises `ValueError` unless `scales` is a range."""
        if len(self.scales) != 2 or self.scales[0] > self.scales[1]:
            raise ValueError(
                f"{prefix}scales must be the smallest and the largest scale. Received: "
                f"{prefix}scales={','.join(map(str, self.scales))}"
            )


@dataclasses.dataclass(frozen=True)
class TrackSettings(ReadingSettings):
    """Following the objects of a video, and the files to write."""

    embeddings: bool = setting(
        True,
        "Whether objects are recognised by their embeddings and their masks; off: by their masks "
        "alone.",
    )
    overlays: bool = setting(True, "Whether to write a video of the frames with their objects.")
    opacity: float = setting(
        0.5, "Opacity of the objects' colours in overlays.", limits=Limits(at_least=0, at_most=1)
    )
    max_frames: int | None = setting(
        None,
        "Stop after this many frames of a video. Default: read it to its end.",
        limits=AT_LEAST_ONE,
    )
    threads: int | None = setting(
        None,
        "Threads inside an operation of ONNX Runtime. Default: one per physical core.",
        limits=AT_LEAST_ONE,
    )
