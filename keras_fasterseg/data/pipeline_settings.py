"""Settings of training batches, common to all backends."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainingPipeline:
    """Settings of training batches.

    Attributes:
        batch_size: Images per batch.
        crop_size: Height and width of the crops in pixels.
        scales: Scale factors; one is drawn for each image.
        shift: Crops are moved by up to this many pixels in both directions.
        color_jitter: Brightness, contrast and saturation are multiplied by random factors from 1
            minus to 1 plus this number; 0 changes nothing.
        flip: Whether to mirror images at random, with probability 1/2.
        downsample: Every image is first reduced by this factor.
        seed: Seed of shuffling and augmentation.
        cache: Whether to keep decoded, downsampled images in memory: 4 bytes per pixel. With a
            backend other than TensorFlow, every reading process keeps the images that it has read.
        part: Which part of every batch to make, counted from 0, and the number of parts; only
            TensorFlow divides batches.

    Raises:
        ValueError: A value is out of range, or a batch cannot be divided equally.
    """

    batch_size: int
    crop_size: tuple[int, int]
    scales: tuple[float, ...] = (0.75, 1.0, 1.25)
    shift: int = 0
    color_jitter: float = 0.0
    flip: bool = True
    downsample: int = 1
    seed: int = 0
    cache: bool = False
    part: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        for name in ("batch_size", "downsample"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
        if self.batch_size % self.part[1]:
            raise ValueError(
                f"A batch of {self.batch_size} images cannot be divided equally among "
                f"{self.part[1]} workers. Choose a multiple of {self.part[1]}."
            )
        if min(self.crop_size) < 1:
            raise ValueError(f"`crop_size` must be positive. Received: {self.crop_size}")
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(
                f"`scales` must have at least one factor, all positive. Received: {self.scales}"
            )
        if not 0 <= self.shift < min(self.crop_size):
            raise ValueError(
                "`shift` must be at least 0 and below each side of `crop_size`. "
                f"Received: shift={self.shift}, crop_size={self.crop_size}"
            )
        if not 0 <= self.color_jitter < 1:
            raise ValueError(
                "`color_jitter` must be at least 0 and below 1. "
                f"Received: color_jitter={self.color_jitter}"
            )
