"""Heads of objects on maps made by hand."""

import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

from keras_fasterseg.video_objects.object_heads import (
    MARGIN,
    STRIDE,
    DecodeBoxes,
    MaskedEmbedding,
    MaskHead,
)

ROWS, COLUMNS = 16, 24
# Whole images, and the objects that they cover.
LEFT, RIGHT, WHOLE = [0, 0, 64, 48], [0, 48, 64, 96], [0, 0, 64, 96]


def bells(*places: tuple[int, int, float]) -> np.ndarray:
    """Logits of a centre heat map with peaks at rows and columns, of the given height."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    logits = np.full((ROWS, COLUMNS), -9.0)
    for row, column, height in places:
        distance = (rows - row) ** 2 + (columns - column) ** 2
        logits = np.maximum(logits, height - distance)
    return logits[None, ..., None].astype("float32")


def decoded(centers: np.ndarray, sizes: np.ndarray, objects: int) -> tuple[np.ndarray, np.ndarray]:
    inputs = [ops.convert_to_tensor(each) for each in (centers, sizes)]
    scores, boxes = DecodeBoxes(objects)(inputs)
    return ops.convert_to_numpy(scores), ops.convert_to_numpy(boxes)


def sizes_of(*places: tuple[int, int, float, float]) -> np.ndarray:
    """Logarithms of height and width at rows and columns."""
    sizes = np.zeros((1, ROWS, COLUMNS, 2), "float32")
    for row, column, height, width in places:
        sizes[0, row, column] = np.log([height, width])
    return sizes


def test_two_bells_are_two_objects():
    centers = bells((3, 5, 1.0), (10, 17, 2.0))
    scores, boxes = decoded(centers, sizes_of((3, 5, 8, 20), (10, 17, 40, 16)), 2)
    # The likelier one comes first; boxes are a quarter larger than the objects.
    np.testing.assert_allclose(scores, [[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))]], rtol=1e-5)
    middles = np.array([[42, 70], [14, 22]])
    halves = MARGIN * np.array([[20, 8], [4, 10]])
    expected = np.concatenate([middles - halves, middles + halves], axis=-1)
    np.testing.assert_allclose(boxes[0], expected, rtol=1e-5)


def test_the_neighbour_of_a_peak_is_no_object():
    centers = bells((8, 8, 5.0), (8, 9, 4.9), (2, 20, -3.0))
    scores, boxes = decoded(centers, sizes_of(), 3)
    middles = (boxes[0, :2, :2] + boxes[0, :2, 2:]) / 2
    np.testing.assert_allclose(middles, [[34, 34], [10, 82]], atol=1e-4)
    # Every other cell of the background ties with its neighbours.
    assert scores[0, 2] == pytest.approx(1 / (1 + np.exp(9)), rel=1e-3)


def test_the_neighbour_of_a_certain_peak_is_no_object():
    """Probabilities of logits above 17 are all 1 in float32."""
    centers = bells((8, 8, 22.0), (2, 20, 3.0))
    scores, boxes = decoded(centers, sizes_of(), 2)
    middles = (boxes[0, :, :2] + boxes[0, :, 2:]) / 2
    np.testing.assert_allclose(middles, [[34, 34], [10, 82]], atol=1e-4)
    np.testing.assert_allclose(scores, [[1, 1 / (1 + np.exp(-3))]], rtol=1e-5)


@pytest.mark.parametrize("corner", [(0, 0), (0, 23), (15, 0), (15, 23)])
def test_peaks_at_the_border(corner):
    _, boxes = decoded(bells((*corner, 3.0)), sizes_of((*corner, 10, 10)), 1)
    middle = (np.array(corner) + 0.5) * STRIDE
    np.testing.assert_allclose(boxes[0, 0], [*(middle - 6.25), *(middle + 6.25)], rtol=1e-5)


@pytest.mark.parametrize(("logarithm", "side"), [(-50, 1), (0, 1), (3, np.exp(3)), (50, 8192)])
def test_sides_are_limited(logarithm, side):
    _, boxes = decoded(bells((8, 8, 3.0)), np.full((1, ROWS, COLUMNS, 2), logarithm, "float32"), 1)
    np.testing.assert_allclose(boxes[0, 0, 2:] - boxes[0, 0, :2], MARGIN * side, rtol=1e-4)


def test_frames_of_a_batch_are_decoded_alone():
    first, second = bells((3, 5, 1.0)), bells((10, 17, 2.0))
    sizes = sizes_of((3, 5, 8, 20), (10, 17, 40, 16))
    scores, boxes = decoded(np.concatenate([first, second]), np.repeat(sizes, 2, axis=0), 1)
    for index, centers in enumerate((first, second)):
        alone = decoded(centers, sizes, 1)
        np.testing.assert_allclose(scores[index], alone[0][0], rtol=1e-6)
        np.testing.assert_allclose(boxes[index], alone[1][0], rtol=1e-6)


def mask_head() -> MaskHead:
    head = MaskHead(8)
    head.build([(None, ROWS, COLUMNS, 5), (None, None, 4)])
    rng = np.random.default_rng(0)
    # Positive, because they include variances.
    head.set_weights([rng.uniform(0.2, 1, each.shape) - 0.1 for each in head.get_weights()])
    return head


def random_features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, ROWS, COLUMNS, 5)).astype("float32")


def random_boxes(objects: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    start = rng.uniform(-5, 40, (2, objects, 2))
    return np.concatenate([start, start + rng.uniform(8, 40, (2, objects, 2))], -1).astype(
        "float32"
    )


def test_mask_head_does_not_mix_objects():
    head, features, boxes = mask_head(), random_features(), random_boxes(3)
    masks = ops.convert_to_numpy(head([features, boxes], training=False))
    assert masks.shape == (2, 3, 28, 28)
    assert masks.dtype == np.float32
    for place in range(3):
        alone = ops.convert_to_numpy(head([features, boxes[:, place : place + 1]], training=False))
        np.testing.assert_allclose(alone[:, 0], masks[:, place], rtol=1e-4, atol=1e-4)
    assert np.abs(masks[:, 0] - masks[:, 1]).max() > 0.1
    single = ops.convert_to_numpy(head([features[1:], boxes[1:]], training=False))
    np.testing.assert_allclose(single[0], masks[1], rtol=1e-4, atol=1e-4)


def test_mask_head_knows_the_place_in_the_box():
    head = mask_head()
    features, boxes = np.ones((1, ROWS, COLUMNS, 5), "float32"), [[[8, 8, 40, 60]]]
    (mask,) = ops.convert_to_numpy(head([features, np.array(boxes, "float32")], training=False))[0]
    # With positive kernels and equal features, only the place distinguishes the points.
    assert (np.diff(mask[4:-5, 14]) > 0).all()
    assert (np.diff(mask[14, 4:-5]) > 0).all()


def embeddings_of(embedding_map: np.ndarray, masks: np.ndarray, *boxes) -> np.ndarray:
    inputs = [embedding_map, masks, np.array([boxes])]
    layer = MaskedEmbedding()
    return ops.convert_to_numpy(layer([each.astype("float32") for each in inputs]))


def test_embedding_of_a_constant_map_is_the_constant():
    embedding_map = np.broadcast_to(np.array([3.0, 4.0, 0.0]), (1, ROWS, COLUMNS, 3))
    masks = np.random.default_rng(0).random((1, 2, 28, 28))
    result = embeddings_of(embedding_map, masks, [4, 8, 30, 50], [-9, -9, 10, 10])
    assert result.shape == (1, 2, 3)
    np.testing.assert_allclose(result, [[[0.6, 0.8, 0]] * 2], atol=1e-5)


def test_embedding_of_one_half_of_a_map():
    embedding_map = np.zeros((1, ROWS, COLUMNS, 2))
    embedding_map[:, :, :12, 0] = 2
    embedding_map[:, :, 12:, 1] = 5
    ones = np.ones((1, 3, 28, 28))
    result = embeddings_of(embedding_map, ones, LEFT, RIGHT, WHOLE)
    expected = [[1, 0], [0, 1], np.array([2, 5]) / np.hypot(2, 5)]
    np.testing.assert_allclose(result[0], expected, atol=1e-5)
    # The same halves by masks in the box of the whole image.
    halves = np.zeros((1, 2, 28, 28))
    halves[:, 0, :, :14] = halves[:, 1, :, 14:] = 1
    result = embeddings_of(embedding_map, halves, WHOLE, WHOLE)
    np.testing.assert_allclose(result[0], [[1, 0], [0, 1]], atol=1e-5)


def test_embedding_is_the_weighted_mean_of_cells():
    rng = np.random.default_rng(0)
    embedding_map, masks = rng.normal(size=(1, 28, 28, 6)), rng.random((1, 1, 28, 28))
    # One point of the mask per cell.
    result = embeddings_of(embedding_map, masks, [0, 0, 112, 112])
    total = np.einsum("hwc,hw->c", embedding_map[0], masks[0, 0])
    np.testing.assert_allclose(result[0, 0], total / np.linalg.norm(total), atol=1e-4)


def test_embedding_of_an_empty_mask_is_zero():
    result = embeddings_of(np.ones((1, ROWS, COLUMNS, 3)), np.zeros((1, 1, 28, 28)), WHOLE)
    np.testing.assert_array_equal(result, np.zeros((1, 1, 3)))


class LayerContractTest(TestCase):
    def test_mask_head(self):
        self.run_layer_test(
            MaskHead,
            init_kwargs={"filters": 8},
            input_shape=[(2, 16, 24, 5), (2, 3, 4)],
            expected_output_shape=(2, 3, 28, 28),
            # Three convolutions and scales and offsets of their normalisations, and a classifier.
            expected_num_trainable_weights=11,
            expected_num_non_trainable_weights=6,
            # Its data generator cannot describe a list of inputs to tf.data.
            run_training_check=False,
            run_mixed_precision_check=False,
        )

    def test_masked_embedding(self):
        self.run_layer_test(
            MaskedEmbedding,
            init_kwargs={},
            input_shape=[(2, 16, 24, 5), (2, 3, 28, 28), (2, 3, 4)],
            expected_output_shape=(2, 3, 5),
            expected_num_trainable_weights=0,
            run_training_check=False,
            run_mixed_precision_check=False,
        )


def test_decoder_describes_itself():
    layer = DecodeBoxes.from_config(DecodeBoxes(7, name="decode").get_config())
    assert (layer.objects, layer.name) == (7, "decode")
    shapes = layer.compute_output_shape([(None, ROWS, COLUMNS, 1), (None, ROWS, COLUMNS, 2)])
    assert shapes == ((None, 7), (None, 7, 4))
