"""The smallest supernet there is, with batches and losses to compare with."""

import contextlib
import copy
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.spaces.base import Tensor
from keras_fasterseg.spaces.fasterseg.choices import one_hot_widths, uniform_widths, width_shapes
from keras_fasterseg.spaces.fasterseg.search_model import FasterSegSearch
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace

NUM_LAYERS = 4
NUM_CLASSES = 3
WIDTHS = (0.5, 1.0)
SETTINGS = FasterSegSettings(NUM_LAYERS, 2, WIDTHS, student_width=0.5)
SPACE = FasterSegSpace(SETTINGS)


@contextlib.contextmanager
def functions_run_eagerly() -> Iterator[None]:
    """On TensorFlow, a single pass costs less than to trace it, with its gradients above all."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf  # not at the top: other backends use this file, too

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def make_space(seed: int = 0) -> FasterSegSearch:
    """A supernet of four layers, three classes and two widths; architectures at random logits."""
    space = FasterSegSearch(SETTINGS, NUM_CLASSES, seed)
    generator = np.random.default_rng(seed)
    for architecture in space.architectures.values():
        for variable in architecture.trainable_variables:
            variable.assign(generator.normal(size=variable.shape))
    return space


def with_loss(space: FasterSegSearch, loss) -> FasterSegSearch:
    """The same supernet and architectures with another loss."""
    space = copy.copy(space)
    space.loss = loss
    return space


def random_batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """One image of 64 x 64 and its labels, some ignored."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, NUM_CLASSES, (1, 64, 64))
    labels[generator.random(labels.shape) < 0.1] = 255
    images = generator.normal(size=(1, 64, 64, 3))
    return ops.convert_to_tensor(images, "float32"), ops.convert_to_tensor(labels, "int32")


def uniform_setting(index: int):
    """One width for all nodes."""
    return uniform_widths(index, NUM_LAYERS, len(WIDTHS))


def random_widths(seed: int):
    """A width of its own for each node."""
    generator = np.random.default_rng(seed)
    indexes = [generator.integers(len(WIDTHS), size=n) for n in width_shapes(NUM_LAYERS)]
    return one_hot_widths(indexes, len(WIDTHS))


def plain_loss(supernet, images, labels, choices) -> Tensor:
    """Cost of one pass with only the supernet and the loss."""
    predictions = supernet(images, choices=choices, training=True)
    eighth = labels[:, ::8, ::8]
    return sum(ohem_cross_entropy(eighth, logits) for logits in predictions)


def assert_close(actual, expected, tolerance: float = 1e-4) -> None:
    """Two lists of gradients agree, each relative to its largest entry in the whole list."""
    largest = max(float(np.abs(each).max()) for each in expected)
    assert largest > 0
    for one, other in zip(actual, expected, strict=True):
        size = max(float(np.abs(other).max()), 1e-3 * largest)
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * size)
