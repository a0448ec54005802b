"""The stem against the one of the reference's derived networks."""

import functools

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.layers.stem import Stem, stem_filters
from tests.layers.reference_weights import (
    assert_close_to_size,
    conv_batch_norm_parts,
    entries,
    load,
    primitive_parts,
)
from tests.shared import load_fixture


@functools.cache
def network(name: str) -> dict[str, np.ndarray]:
    """The arrays of the stem, its kernels put together from integers and scales."""
    arrays = {k: v for k, v in load_fixture(f"net_{name}").items() if "stem" in k}
    weights = {k.removeprefix("w/"): v for k, v in arrays.items() if k.startswith("w/")}
    for key, integers in arrays.items():
        if key.startswith("q/"):
            scale = arrays[key.replace("q/", "s/")]
            weights[key.removeprefix("q/")] = integers.astype("float32") * scale
    return {"weights": weights, **arrays}


@functools.cache
def images() -> np.ndarray:
    return load_fixture("input_256x512")["x_nhwc"]


def stem_and_parts(name: str, **kwargs):
    layer = Stem(12, {"student": 8 / 12, "teacher": 1.0}[name], **kwargs)
    layer.build((None, None, None, 3))
    parts = conv_batch_norm_parts(layer.stages[0], "stem.0.conv.0", "stem.0.conv.1")
    for index in (1, 2):
        parts |= {f"stem.{index}.{k}": v for k, v in primitive_parts(layer.stages[index]).items()}
    load(parts, network(name)["weights"])
    return layer, parts


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_equals_the_reference(name):
    layer, _ = stem_and_parts(name)
    expected = network(name)["eval/stem_nhwc"]
    assert layer.compute_output_shape(images().shape) == expected.shape
    np.testing.assert_allclose(layer(images()), expected, atol=1e-4)


def test_training_statistics_equal_the_reference():
    layer, parts = stem_and_parts("student")
    layer(images(), training=True)
    arrays = network("student")
    for name, variable, _ in entries(parts):
        if not variable.trainable:
            expected = arrays[f"train/bn_after/{name}"]
            assert_close_to_size(variable.numpy(), expected, 1e-5, name)


def test_height_and_width_may_be_dynamic():
    layer, _ = stem_and_parts("student")
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layer(image))
    assert model.output_shape == (None, None, None, 64)
    np.testing.assert_allclose(
        model.predict(images(), verbose=0), network("student")["eval/stem_nhwc"], atol=1e-4
    )


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
def test_half_precision_stays_near_the_reference(policy):
    layer, _ = stem_and_parts("student", dtype=policy)
    outputs = layer(images())
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    # Five convolutions, each rounded to 11 or 8 bits.
    tolerance = {"mixed_float16": 2**-7, "mixed_bfloat16": 2**-4}[policy]
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    assert_close_to_size(outputs, network("student")["eval/stem_nhwc"], tolerance)


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
