"""Small network with the contract of the real one, for tests of the code around it."""

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.resize import resize_bilinear

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
NUM_CLASSES = 5


class _Upsampling(keras.layers.Layer):
    """Bilinear, for sizes that become known only at run time."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def call(self, images):
        _, height, width, _ = ops.shape(images)
        return resize_bilinear(images, (self.scale * height, self.scale * width))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], None, None, input_shape[-1])


def segmentation_network(num_classes: int = NUM_CLASSES, seed: int = 0) -> keras.Model:
    """Strides 8 and 32 and bilinear upsampling, so that sizes must be multiples of 32."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((None, None, 3))
    fine = keras.layers.Conv2D(8, 8, strides=8, activation="relu")(images)
    coarse = keras.layers.Conv2D(8, 4, strides=4, activation="relu")(fine)
    coarse = _Upsampling(4)(coarse)
    logits = keras.layers.Conv2D(num_classes, 3, padding="same")(
        keras.layers.Concatenate()([fine, coarse])
    )
    return keras.Model(images, _Upsampling(8)(logits))


def random_images(*shape: int, seed: int = 0) -> np.ndarray:
    """uint8 images of shape `(*shape, 3)`."""
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def expected_logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Expected logits of the deployed network: NumPy normalises, pads and crops; Keras predicts."""
    _, height, width, _ = images.shape
    normalised = (images / 255.0 - np.array(MEAN)) / np.array(STD)
    padding = ((0, 0), (0, -height % 32), (0, -width % 32), (0, 0))
    padded = np.pad(normalised, padding).astype(np.float32)
    return ops.convert_to_numpy(model(padded, training=False))[:, :height, :width]


def assert_same_classes(class_ids: np.ndarray, logits: np.ndarray, noise: float = 1e-4) -> None:
    """Asserts argmax of `logits`, except where the two best differ by at most `noise`."""
    second, best = np.moveaxis(np.sort(logits, axis=-1)[..., -2:], -1, 0)
    clear = best - second > noise
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(class_ids[clear], logits.argmax(-1)[clear])
