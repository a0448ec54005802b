"""Resizing against the formula: interpolation at `linspace(0, inputs - 1, outputs)`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from keras.src.testing import TestCase

from keras_fasterseg.layers import resize
from keras_fasterseg.layers.resize import Resize, ResizeLike, resize_bilinear

# (input height, width), (output height, width): up, down, odd, only one side, single pixels.
SIZES = [
    ((4, 6), (8, 12)),
    ((8, 12), (4, 6)),
    ((7, 5), (3, 2)),
    ((3, 2), (7, 5)),
    ((15, 29), (7, 14)),
    ((5, 9), (40, 72)),
    ((5, 9), (5, 17)),
    ((1, 1), (4, 3)),
    ((1, 6), (3, 2)),
    ((6, 5), (1, 1)),
    ((1, 1), (1, 1)),
]


def interpolation_matrix(inputs: int, outputs: int) -> np.ndarray:
    """Row k holds the two weights of output k: the hat functions at its position."""
    positions = np.linspace(0, inputs - 1, outputs)
    return np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(inputs)[None]))


def resize_numpy(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows = interpolation_matrix(images.shape[1], size[0])
    columns = interpolation_matrix(images.shape[2], size[1])
    return np.einsum("yh,xw,bhwc->byxc", rows, columns, images.astype("float64"))


def tolerance(inputs: tuple[int, int]) -> float:
    """Positions are float32: an ulp of the last one, times the step (at most 8) between pixels."""
    return 8 * sum(inputs) * 2**-23


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize(("inputs", "outputs"), SIZES)
def test_equals_interpolation_at_linspace(inputs, outputs):
    images = random_images(2, *inputs, 3)
    result = ops.convert_to_numpy(resize_bilinear(ops.convert_to_tensor(images), outputs))
    np.testing.assert_allclose(result, resize_numpy(images, outputs), atol=tolerance(inputs))


@pytest.mark.parametrize(("inputs", "outputs"), SIZES)
def test_path_without_tensorflow_equals_interpolation_at_linspace(inputs, outputs):
    images = random_images(2, *inputs, 3)
    result = resize._resize_with_keras(ops.convert_to_tensor(images), outputs)
    np.testing.assert_allclose(
        ops.convert_to_numpy(result), resize_numpy(images, outputs), atol=tolerance(inputs)
    )


def resize_as_products(images, size):
    return resize_bilinear(images, size, as_products=True)


@pytest.mark.parametrize(("inputs", "outputs"), SIZES)
def test_products_equal_interpolation_at_linspace(inputs, outputs):
    images = random_images(2, *inputs, 3)
    result = resize_as_products(tf.constant(images), outputs)
    np.testing.assert_allclose(result, resize_numpy(images, outputs), atol=tolerance(inputs))


@pytest.mark.parametrize("path", [resize_bilinear, resize_as_products, resize._resize_with_keras])
@pytest.mark.parametrize(("inputs", "outputs"), SIZES)
def test_gradient_is_the_transposed_interpolation(path, inputs, outputs):
    images = tf.constant(random_images(2, *inputs, 3))
    cotangent = random_images(2, *outputs, 3)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(path(images, outputs) * cotangent)
    rows, columns = (interpolation_matrix(i, o) for i, o in zip(inputs, outputs, strict=True))
    expected = np.einsum("yh,xw,byxc->bhwc", rows, columns, cotangent.astype("float64"))
    np.testing.assert_allclose(tape.gradient(total, images), expected, atol=2e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_keeps_the_dtype(dtype):
    images = ops.cast(random_images(1, 5, 7, 2), dtype)
    result = resize_bilinear(images, (9, 4))
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    # The arithmetic is float32: only the final rounding to the dtype (8 bits in bfloat16) differs.
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(result, "float32")),
        resize_numpy(ops.convert_to_numpy(ops.cast(images, "float32")), (9, 4)),
        rtol=2**-8,
        atol=1e-5,
    )


def test_compiles_with_static_shapes():
    images = random_images(1, 8, 6, 2)
    compiled = tf.function(lambda x: resize_bilinear(x, (5, 11)), jit_compile=True)
    np.testing.assert_allclose(compiled(images), resize_numpy(images, (5, 11)), atol=3e-6)


@pytest.mark.parametrize("static", [True, False])
def test_only_training_at_known_sizes_multiplies_matrices(static):
    layer, images = Resize(scale=8), random_images(2, 5, 9, 3)
    signature = tf.TensorSpec([None, *((5, 9) if static else (None, None)), 3])
    for training in (True, False):
        traced = tf.function(lambda x, training=training: layer(x, training=training))
        concrete = traced.get_concrete_function(signature)
        operations = {operation.type for operation in concrete.graph.get_operations()}
        assert ("ResizeBilinear" not in operations) == (static and training)
        expected = resize_numpy(images, (40, 72))
        np.testing.assert_allclose(concrete(tf.constant(images)), expected, atol=tolerance((5, 9)))


@pytest.mark.parametrize(
    ("images", "size", "message"),
    [
        (np.zeros((4, 4, 3), "float32"), (2, 2), r"shape=\(4, 4, 3\)"),
        (np.zeros((1, 4, 4, 3), "uint8"), (2, 2), "dtype=uint8"),
        (np.zeros((1, 4, 4, 3), "float32"), (0, 2), r"size=\(0, 2\)"),
        (np.zeros((1, 4, 4, 3), "float32"), (2, 2, 2), r"size=\(2, 2, 2\)"),
    ],
)
def test_says_what_is_wrong(images, size, message):
    with pytest.raises(ValueError, match=message):
        resize_bilinear(ops.convert_to_tensor(images), size)


def test_scale_must_be_positive():
    with pytest.raises(ValueError, match="scale=-1"):
        Resize(scale=-1)


@pytest.mark.parametrize(
    ("scale", "inputs", "outputs"),
    [
        (0.5, (8, 12), (4, 6)),
        (0.5, (15, 29), (7, 14)),
        (0.5, (1, 1), (1, 1)),
        (8, (4, 3), (32, 24)),
        # In binary .29 * 100 falls just below 29.
        (0.29, (100, 100), (29, 29)),
    ],
)
def test_scale_floors_alike_for_static_and_dynamic_shapes(scale, inputs, outputs):
    images = random_images(2, *inputs, 1)
    expected = resize_numpy(images, outputs)
    layer = Resize(scale=scale)
    assert layer.compute_output_shape((2, *inputs, 1)) == (2, *outputs, 1)
    assert layer.compute_output_shape((None, None, None, 1)) == (None, None, None, 1)
    for height_and_width in (inputs, (None, None), (inputs[0], None)):
        image = keras.Input((*height_and_width, 1))
        model = keras.Model(image, layer(image))
        np.testing.assert_allclose(
            model.predict(images, verbose=0), expected, atol=tolerance(inputs)
        )


@pytest.mark.parametrize("static", [True, False])
def test_resize_like_takes_the_size_of_the_reference(static):
    images, reference = random_images(2, 3, 5, 2), random_images(2, 8, 7, 4)
    inputs = [
        keras.Input((*(array.shape[1:3] if static else (None, None)), array.shape[3]))
        for array in (images, reference)
    ]
    output = ResizeLike()(inputs)
    assert output.shape == ((None, 8, 7, 2) if static else (None, None, None, 2))
    result = keras.Model(inputs, output).predict([images, reference], verbose=0)
    np.testing.assert_allclose(result, resize_numpy(images, (8, 7)), atol=3e-6)


def test_half_and_back_works_with_dynamic_shapes_and_mixed_precision():
    policy = "mixed_bfloat16"
    image = keras.Input((None, None, 2))
    half = Resize(scale=0.5, dtype=policy)(image)
    back = ResizeLike(dtype=policy)([half, image])
    assert back.dtype == "bfloat16"
    images = random_images(1, 9, 6, 2)
    result = keras.Model(image, back)(images)
    assert result.dtype == tf.bfloat16
    expected = resize_numpy(resize_numpy(images, (4, 3)), (9, 6))
    # Three roundings to the 8 bits of a bfloat16.
    np.testing.assert_allclose(tf.cast(result, tf.float32), expected, atol=3 * 2**-8 * 3)


def test_model_survives_saving(tmp_path):
    image = keras.Input((None, None, 2))
    model = keras.Model(image, ResizeLike()([Resize(scale=0.5)(image), image]))
    model.save(tmp_path / "model.keras")
    images = random_images(1, 9, 6, 2)
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored(images), model(images))


class LayerContractTest(TestCase):
    def test_resize(self):
        self.run_layer_test(
            Resize,
            init_kwargs={"scale": 0.5},
            input_shape=(2, 9, 6, 3),
            expected_output_shape=(2, 4, 3, 3),
            expected_num_trainable_weights=0,
            expected_num_non_trainable_weights=0,
        )

    def test_resize_like(self):
        self.run_layer_test(
            ResizeLike,
            init_kwargs={},
            input_shape=[(2, 4, 3, 3), (2, 9, 6, 1)],
            expected_output_shape=(2, 9, 6, 3),
            expected_num_trainable_weights=0,
            expected_num_non_trainable_weights=0,
            # Its data generator cannot describe a list of inputs to tf.data.
            run_training_check=False,
        )
