"""Training batches: their number alone decides them, and images and targets fit together."""

import dataclasses
import itertools
import threading

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.video_objects.davis import VOID, Davis, write_mask
from keras_fasterseg.video_objects.generated_sequences import GeneratedSequences, generate
from keras_fasterseg.video_objects.training_batches import FrameBatches, training_frames
from keras_fasterseg.video_objects.training_targets import boundary_map

SIZE = (64, 96)


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    settings = GeneratedSequences(num_train=2, num_val=1, frames=3, size=SIZE)
    return generate(tmp_path_factory.mktemp("data") / "videos", settings, progress=False)


def batches_of(davis: Davis, **changes) -> FrameBatches:
    frames, _ = training_frames(davis, davis.sequences("train"))
    defaults = {
        "batch_size": 2,
        "size": SIZE,
        "objects": 4,
        "scales": (0.6, 1.6),
        "color_jitter": 0.3,
        "seed": 0,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
    }
    return FrameBatches(davis, frames, **{**defaults, **changes})


def plain_batches(davis: Davis, **changes) -> FrameBatches:
    """Frames as they are, or mirrored."""
    return batches_of(davis, scales=(1.0, 1.0), color_jitter=0.0, **changes)


def flat(batch) -> dict[str, np.ndarray]:
    inputs, targets = batch
    return {**inputs, **targets}


def assert_same(first, second) -> None:
    first, second = flat(first), flat(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def pixels_of(images: np.ndarray) -> np.ndarray:
    return 255 * (images * np.array(IMAGENET_STD) + IMAGENET_MEAN)


def matched(davis: Davis, batches: FrameBatches, image: np.ndarray) -> tuple[np.ndarray, bool]:
    """Ids of the frame that an image shows, and whether it is mirrored, by its content."""
    for frame in batches.frames:
        pixels, ids = davis.read_frame(frame.image), davis.read_mask(frame.mask)
        for mirrored in (False, True):
            if mirrored:
                pixels, ids = pixels[:, ::-1], ids[:, ::-1]
            if np.abs(pixels_of(image) - pixels).max() < 0.01:
                return ids, mirrored
    raise AssertionError("The image shows no frame.")


def test_shapes_and_types(davis):
    inputs, targets = batches_of(davis)[0]
    shapes = {name: each.shape for name, each in {**inputs, **targets}.items()}
    assert shapes == {
        "images": (2, 64, 96, 3),
        "boxes": (2, 4, 4),
        "present": (2, 4),
        "identities": (2, 4),
        "masks": (2, 4, 28, 28),
        "centers": (2, 16, 24),
        "sizes": (2, 16, 24, 3),
        "boundaries": (2, 16, 24),
        "foreground": (2, 8, 12),
        "valid": (2, 16, 24),
        "valid_boundaries": (2, 16, 24),
        "valid_foreground": (2, 8, 12),
    }
    assert all(
        each.dtype == (np.int32 if name == "identities" else np.float32)
        for name, each in {**inputs, **targets}.items()
    )


def test_a_batch_depends_on_its_number_only(davis):
    first, second = batches_of(davis), batches_of(davis)
    late = second[7]
    for number in (0, 7, 3):
        assert_same(first[number], second[number])
    assert_same(first[7], late)
    assert not np.array_equal(first[0][0]["images"], first[1][0]["images"])


@pytest.mark.parametrize("first", [0, 5])
def test_from_batch_begins_anywhere(davis, first):
    batches = batches_of(davis)
    for number, batch in enumerate(itertools.islice(batches.from_batch(first), 6), first):
        assert_same(batch, batches[number])


def test_a_stopped_iterator_ends_its_threads(davis):
    before = threading.active_count()
    iterator = batches_of(davis).from_batch(0)
    next(iterator)
    assert threading.active_count() > before
    iterator.close()
    assert threading.active_count() == before


def test_another_seed_gives_another_batch(davis):
    first, second = batches_of(davis)[0], batches_of(davis, seed=1)[0]
    assert not np.array_equal(first[0]["images"], second[0]["images"])


def test_an_epoch_shows_every_frame_once(davis):
    batches = plain_batches(davis, batch_size=6)
    for epoch in range(2):
        shown = []
        for image in batches[epoch][0]["images"]:
            ids, mirrored = matched(davis, batches, image)
            shown.append((ids[:, ::-1] if mirrored else ids).tobytes())
        assert len(set(shown)) == 6


def test_a_mirrored_frame_mirrors_its_targets(davis):
    batches = plain_batches(davis, batch_size=12)
    inputs, targets = batches[0]
    seen = set()
    for place, image in enumerate(inputs["images"]):
        ids, mirrored = matched(davis, batches, image)
        seen.add(mirrored)
        foreground = (ids > 0).reshape(8, 8, 12, 8).mean(axis=(1, 3))
        np.testing.assert_allclose(targets["foreground"][place], foreground)
        edge = boundary_map(ids).reshape(16, 4, 24, 4).max(axis=(1, 3))
        np.testing.assert_array_equal(targets["boundaries"][place], edge)
        for box, present in zip(inputs["boxes"][place], targets["present"][place], strict=True):
            row, column = (box[:2] + box[2:]) / 2
            inside = ids[int(box[0].clip(0)) : int(box[2]), int(box[1].clip(0)) : int(box[3])]
            assert not present or inside.any()
            assert not present or (0 < row < 64 and 0 < column < 96)
        centers = np.argwhere(targets["centers"][place] == 1)
        boxes = [np.argwhere(ids == each) for each in np.unique(ids[ids > 0])]
        expected = {
            tuple(((each.min(axis=0) + each.max(axis=0) + 1) / 2 // 4).astype(int))
            for each in boxes
            if len(each) >= 16
        }
        assert {tuple(each) for each in centers} == expected
    assert seen == {False, True}


def test_identities_are_those_of_the_sequence(davis):
    batches = plain_batches(davis, batch_size=6)
    inputs, targets = batches[0]
    by_mask = {davis.read_mask(each.mask).tobytes(): each.identities for each in batches.frames}
    for place, image in enumerate(inputs["images"]):
        ids, mirrored = matched(davis, batches, image)
        identities = by_mask[np.ascontiguousarray(ids[:, ::-1] if mirrored else ids).tobytes()]
        used = targets["identities"][place][targets["present"][place] == 1]
        numbers = [each for each in np.unique(ids[ids > 0]) if (ids == each).sum() >= 16]
        assert used.tolist() == [identities[each] for each in numbers]


def test_small_frames_are_padded_with_void(davis):
    batches = batches_of(davis, scales=(0.5, 0.5), color_jitter=0.0, batch_size=6)
    inputs, targets = batches[0]
    for image, valid in zip(inputs["images"], targets["valid"], strict=True):
        # A quarter shows the frame: at the left, or mirrored at the right.
        assert valid[:8].sum() == valid.sum() == 8 * 12
        left, right = valid[0, 0] == 1, valid[0, -1] == 1
        assert left != right
        assert valid[:8, :12].all() if left else valid[:8, 12:].all()
        # The padding repeats the last pixels.
        np.testing.assert_array_equal(image[32:], np.broadcast_to(image[31], (32, 96, 3)))
    assert not (targets["centers"][:, 9:] == 1).any()


def test_large_frames_are_cropped(davis):
    targets = batches_of(davis, scales=(2.0, 2.0), batch_size=6)[0][1]
    assert targets["valid"].all()
    assert targets["valid_foreground"].all()


def test_void_of_the_data_is_not_valid(davis, tmp_path):
    frame = training_frames(davis, davis.sequences("train"))[0][0]
    ids = davis.read_mask(frame.mask).copy()
    ids[:8] = VOID
    write_mask(tmp_path / "mask.png", ids)
    frames = [dataclasses.replace(frame, mask=tmp_path / "mask.png")]
    targets = dataclasses.replace(plain_batches(davis), frames=frames)[0][1]
    assert not targets["valid"][:, :2].any()
    assert targets["valid"][:, 2:].all()


def test_other_crop_sizes(davis):
    inputs, targets = plain_batches(davis, size=(32, 64))[0]
    assert inputs["images"].shape == (2, 32, 64, 3)
    # Frames of 64 x 96 are resized to 43 x 64, which covers the crop.
    assert targets["valid"].all()


def test_colors_change_by_the_jitter_only(davis):
    plain, changed = plain_batches(davis), batches_of(davis, scales=(1.0, 1.0), color_jitter=0.5)
    assert not np.array_equal(plain[0][0]["images"], changed[0][0]["images"])
    for name in ("valid", "foreground", "centers"):
        np.testing.assert_array_equal(plain[0][1][name], changed[0][1][name])
    pixels = pixels_of(changed[0][0]["images"])
    assert pixels.min() > -0.01
    assert pixels.max() < 255.01


def test_identities_are_unique_over_sequences(davis):
    sequences = davis.sequences("train")
    frames, total = training_frames(davis, sequences)
    assert len(frames) == 6
    by_sequence = {each.image.parent.name: each.identities for each in frames}
    assert len(by_sequence) == 2
    numbers = [each for identities in by_sequence.values() for each in identities.values()]
    assert sorted(numbers) == list(range(total))
    for sequence in sequences:
        present = {int(i) for mask in sequence.masks for i in np.unique(davis.read_mask(mask))}
        assert set(by_sequence[sequence.name]) == present - {0}


def test_frames_without_mask_and_void_have_no_identity(tmp_path):
    root = tmp_path / "DAVIS"
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "480p" / "dog").mkdir(parents=True)
    for number in range(3):
        frame = root / "JPEGImages" / "480p" / "dog" / f"{number:05}.png"
        Image.new("RGB", (8, 6)).save(frame)
    ids = np.zeros((6, 8), np.uint8)
    ids[0], ids[1], ids[2] = 2, 5, VOID
    write_mask(root / "Annotations" / "480p" / "dog" / "00001.png", ids)
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("dog\n")
    davis = Davis(root)
    (frame,), total = training_frames(davis, davis.sequences("train"))
    assert frame.image.name == frame.mask.name == "00001.png"
    assert frame.identities == {2: 0, 5: 1}
    assert total == 2


def test_the_order_of_a_list_does_not_matter(davis):
    sequences = davis.sequences("train")
    assert training_frames(davis, sequences) == training_frames(davis, sequences[::-1])
