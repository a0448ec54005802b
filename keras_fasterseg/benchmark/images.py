"""Images for timing."""

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.signature import check_input_shape

IMAGE_SEED = 0


def benchmark_images(
    input_size: tuple[int, int], batch_size: int = 1, image: PathLike | None = None
) -> np.ndarray:
    """Returns the images for timing: random bytes, always the same, or copies of one image.

    Args:
        input_size: Height and width, each at least 32.
        batch_size: Number of images.
        image: Image file, which is resized; `None` uses random bytes.

    Returns:
        uint8 array of shape `(batch_size, *input_size, 3)`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: A size is below 32, the batch is empty, or the file is not an image.
    """
    check_input_shape(input_size, batch_size)
    if image is None:
        generator = np.random.default_rng(IMAGE_SEED)
        return generator.integers(0, 256, (batch_size, *input_size, 3), np.uint8)
    height, width = input_size
    try:
        with Image.open(image) as opened:
            resized = opened.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"The image {image} does not exist.") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise ValueError(f"{image} cannot be read as an image ({error}).") from error
    return np.repeat(np.asarray(resized)[np.newaxis], batch_size, axis=0)
