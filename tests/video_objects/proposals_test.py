"""Proposals from a network's outputs: their order, limit, size, and the embedding of a mask."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from keras_fasterseg.video_objects.proposals import Proposals

NETWORK_SIZE = (64, 96)


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def network_outputs(seed: int = 0, objects: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 30, (1, objects, 2))
    boxes = np.concatenate([start, start + rng.uniform(10, 40, (1, objects, 2))], axis=-1)
    outputs = {
        "scores": np.sort(rng.random((1, objects)))[:, ::-1],
        "boxes": boxes,
        "masks": rng.random((1, objects, 28, 28)),
        "embeddings": unit(rng.normal(size=(1, objects, 8))),
        "embedding_map": rng.normal(size=(1, 16, 24, 8)),
        "foreground": rng.random((1, 8, 12)),
    }
    return {name: each.astype(np.float32) for name, each in outputs.items()}


def proposals_of(outputs, frame_size=NETWORK_SIZE, least_score=0.0) -> Proposals:
    return Proposals.of_outputs(outputs, NETWORK_SIZE, frame_size, least_score)


@pytest.mark.parametrize("seed", range(4))
def test_order_of_the_outputs_does_not_matter(seed):
    outputs = network_outputs(seed)
    # Two objects share a box.
    outputs["boxes"][0, 1] = outputs["boxes"][0, 0]
    order = np.random.default_rng(seed).permutation(5)
    permuted = {
        name: each[:, order] if name in ("scores", "boxes", "masks", "embeddings") else each
        for name, each in outputs.items()
    }
    first, second = (dataclasses.asdict(proposals_of(each)) for each in (outputs, permuted))
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_scores_masks_and_embeddings_stay_together():
    outputs = network_outputs()
    proposals = proposals_of(outputs)
    assert sorted(proposals.scores) == sorted(outputs["scores"][0])
    for place, score in enumerate(proposals.scores):
        source = int(np.flatnonzero(outputs["scores"][0] == score).item())
        np.testing.assert_array_equal(proposals.embeddings[place], outputs["embeddings"][0, source])
        top, left, bottom, right = outputs["boxes"][0, source]
        rows, columns = np.mgrid[:64, :96] + 0.5
        inside = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
        np.testing.assert_array_equal(proposals.masks[place] > 0, inside)


def test_scores_below_the_limit_are_left_out():
    outputs = network_outputs()
    outputs["scores"][0] = [0.9, 0.5, 0.3, 0.29, 0.0]
    proposals = proposals_of(outputs, least_score=outputs["scores"][0, 2])
    assert sorted(proposals.scores.tolist()) == pytest.approx([0.3, 0.5, 0.9])
    assert proposals.masks.shape == (3, 64, 96)
    assert proposals.embeddings.shape == (3, 8)


def test_nothing_is_likely_enough():
    proposals = proposals_of(network_outputs(), (48, 72), least_score=1.1)
    assert proposals.scores.shape == (0,)
    assert proposals.masks.shape == (0, 48, 72)
    assert proposals.embeddings.shape == (0, 8)


@pytest.mark.parametrize("frame_size", [(64, 96), (128, 192), (100, 333), (32, 48)])
def test_masks_are_pasted_at_the_size_of_the_frame(frame_size):
    outputs = network_outputs(objects=1)
    (mask,) = proposals_of(outputs, frame_size).masks
    assert mask.shape == frame_size
    assert mask.dtype == np.float32
    # A frame keeps its proportions.
    factor = (np.array(frame_size) / NETWORK_SIZE).max()
    box = outputs["boxes"][0, 0].reshape(2, 2) * factor
    axes = [
        (np.arange(side) + 0.5 - start) / (end - start)
        for side, start, end in zip(frame_size, *box, strict=True)
    ]
    grid = np.meshgrid(*(28 * each - 0.5 for each in axes), indexing="ij")
    expected = ndimage.map_coordinates(outputs["masks"][0, 0], grid, order=1, mode="nearest")
    rows, columns = ((each > 0) & (each < 1) for each in axes)
    expected = np.where(np.outer(rows, columns), expected, 0)
    np.testing.assert_allclose(mask, expected, atol=2e-4)


def test_embedding_of_a_mask_of_whole_cells():
    proposals = proposals_of(network_outputs())
    cells = np.random.default_rng(3).random((16, 24)) < 0.3
    mask = np.kron(cells, np.ones((4, 4), bool))
    expected = unit(proposals.embedding_map[cells].mean(axis=0))
    np.testing.assert_allclose(proposals.embedding_of(mask), expected, atol=1e-5)


def test_embedding_of_parts_of_cells_weighs_them():
    proposals = proposals_of(network_outputs())
    mask = np.zeros(NETWORK_SIZE, bool)
    mask[:4, :4] = mask[4:6, :2] = True
    expected = unit(proposals.embedding_map[0, 0] + proposals.embedding_map[1, 0] * 4 / 16)
    np.testing.assert_allclose(proposals.embedding_of(mask), expected, atol=1e-5)


@pytest.mark.parametrize("frame_size", [(128, 192), (32, 48), (100, 150), (480, 854)])
def test_embedding_of_one_half_in_other_sizes(frame_size):
    outputs = network_outputs()
    one, other = unit(np.array([[1.0, 2, 0, 0], [0, 0, 3, -1]]))
    outputs["embedding_map"] = np.broadcast_to(one, (1, 16, 24, 4)).copy()
    outputs["embedding_map"][:, :, 12:] = other
    proposals = proposals_of(outputs, frame_size)
    mask = np.zeros(frame_size, bool)
    mask[:, : frame_size[1] // 2] = True
    np.testing.assert_allclose(proposals.embedding_of(mask), one, atol=1e-5)
    np.testing.assert_allclose(proposals.embedding_of(~mask), other, atol=1e-5)


def test_embedding_of_nothing_is_zero():
    proposals = proposals_of(network_outputs())
    assert not proposals.embedding_of(np.zeros(NETWORK_SIZE, bool)).any()


def test_embedding_of_a_frame_of_few_pixels():
    """A frame may have fewer pixels than the map has cells."""
    outputs = network_outputs()
    outputs["embedding_map"][:] = [3, 4, 0, 0, 0, 0, 0, 0]
    proposals = proposals_of(outputs, (6, 9))
    embedding = proposals.embedding_of(np.ones((6, 9), bool))
    np.testing.assert_allclose(embedding, [0.6, 0.8, 0, 0, 0, 0, 0, 0], atol=1e-6)
