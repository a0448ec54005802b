"""The stem against the one of the reference's derived networks."""

import functools

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.layers.stem import Stem, stem_filters
from tests.layers.released_weights import (
    assert_close_to_size,
    conv_batch_norm_parts,
    load,
    primitive_parts,
)
from tests.shared import load_fixture
from tests.spaces.fasterseg.released_state import released_state

# What lies so far from the lower right sees nothing beyond the top left of the image, which the
# fixture was cut to.
INSIDE = np.s_[:, :6, :10]


@functools.cache
def network() -> dict[str, np.ndarray]:
    """The arrays of the student's stem."""
    return load_fixture("net_student")


@functools.cache
def images() -> np.ndarray:
    return load_fixture("input_256x512")["x_nhwc"]


def student_stem(**kwargs) -> Stem:
    layer = Stem(12, 8 / 12, **kwargs)
    layer.build((None, None, None, 3))
    parts = conv_batch_norm_parts(layer.stages[0], "stem.0.conv.0", "stem.0.conv.1")
    for index in (1, 2):
        parts |= {f"stem.{index}.{k}": v for k, v in primitive_parts(layer.stages[index]).items()}
    load(parts, released_state(network()))
    return layer


def test_equals_the_released_code():
    layer = student_stem()
    assert layer.compute_output_shape(images().shape) == (1, 8, 12, 64)
    outputs = layer(images())[INSIDE]
    np.testing.assert_allclose(outputs, network()["eval/stem_nhwc"], atol=1e-4)


def test_height_and_width_may_be_dynamic():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, student_stem()(image))
    assert model.output_shape == (None, None, None, 64)
    outputs = model.predict(images(), verbose=0)[INSIDE]
    np.testing.assert_allclose(outputs, network()["eval/stem_nhwc"], atol=1e-4)


def test_odd_sizes_round_up():
    layer = Stem(4)
    assert layer(np.zeros((1, 17, 33, 3), "float32")).shape == (1, 3, 5, 32)
    assert layer.compute_output_shape((1, 17, 33, 3)) == (1, 3, 5, 32)


@pytest.mark.parametrize(
    ("base_filters", "width", "expected"),
    [
        (12, 1.0, (48, 96, 96)),
        (12, 8 / 12, (32, 64, 64)),
        (6, 8 / 12, (16, 32, 32)),
        (4, 8 / 12, (10, 22, 24)),  # 2 x round(5.3), 2 x round(10.7), 21.3 to a multiple of 8
    ],
)
def test_filters(base_filters, width, expected):
    assert stem_filters(base_filters, width) == expected


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_stays_near_the_released_code(policy):
    layer = student_stem(dtype=policy)
    outputs = layer(images())
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    # Five convolutions, each rounded to 11 or 8 bits.
    tolerance = {"mixed_float16": 2**-7, "mixed_bfloat16": 2**-4}[policy]
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    assert_close_to_size(outputs[INSIDE], network()["eval/stem_nhwc"], tolerance)


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            Stem,
            init_kwargs={"base_filters": 2, "width": 0.5},
            input_shape=(2, 8, 9, 3),
            expected_output_shape=(2, 1, 2, 8),
            expected_num_trainable_weights=15,
            expected_num_non_trainable_weights=10,
        )
