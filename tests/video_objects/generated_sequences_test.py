"""Generated sequences: their files, their masks, their backgrounds and what is refused."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.video_objects import generated_sequences
from keras_fasterseg.video_objects.davis import Davis
from keras_fasterseg.video_objects.generated_sequences import (
    GENERATED,
    GeneratedSequences,
    draw_sequence,
    generate,
)

SETTINGS = GeneratedSequences(num_train=3, num_val=2, frames=3, size=(64, 96))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("data") / "videos", SETTINGS, progress=False)


def contents(davis: Davis) -> dict[str, bytes]:
    files = [path for path in sorted(davis.root.rglob("*")) if path.is_file()]
    return {path.relative_to(davis.root).as_posix(): path.read_bytes() for path in files}


def first_masks(davis: Davis) -> list[np.ndarray]:
    sequences = [each for split in davis.split_names for each in davis.sequences(split)]
    return [davis.read_mask(each.masks[0]) for each in sequences]


def test_davis_reads_the_splits(data):
    assert data.split_names == ("train", "val")
    for split, count in (("train", 3), ("val", 2)):
        sequences = data.sequences(split)
        assert [each.name for each in sequences] == [f"{split}_{i:04}" for i in range(count)]
        for sequence in sequences:
            assert [path.name for path in sequence.frames] == [
                "00000.jpg",
                "00001.jpg",
                "00002.jpg",
            ]
            for frame, mask in zip(sequence.frames, sequence.masks, strict=True):
                assert data.read_frame(frame).shape == (64, 96, 3)
                assert data.read_mask(mask).shape == (64, 96)


def test_same_seed_gives_identical_files(data, tmp_path):
    again = generate(tmp_path / "again", SETTINGS, progress=False)
    assert contents(again) == contents(data)
    # Marker, two lists, and an image and a mask for every frame.
    assert len(contents(data)) == 3 + 2 * 3 * 5


def test_another_seed_gives_other_frames(data, tmp_path):
    settings = dataclasses.replace(SETTINGS, seed=1)
    before = contents(data)
    after = contents(generate(tmp_path / "other", settings, progress=False))
    images = [name for name in before if name.startswith("JPEGImages")]
    assert images
    assert all(before[name] != after[name] for name in images)


def test_a_sequence_does_not_depend_on_their_number(data, tmp_path):
    settings = dataclasses.replace(SETTINGS, num_train=1, num_val=1)
    fewer = contents(generate(tmp_path / "fewer", settings, progress=False))
    before = contents(data)
    frames = [name for name in fewer if name.endswith((".jpg", ".png"))]
    assert len(frames) == 12
    assert all(fewer[name] == before[name] for name in frames)


def test_splits_and_sequences_differ(data):
    masks = [each.tobytes() for each in first_masks(data)]
    assert len(set(masks)) == 5


def test_second_call_opens_the_data(data, monkeypatch):
    def fail(*_):
        raise AssertionError("Nothing must be drawn.")

    monkeypatch.setattr(generated_sequences, "draw_sequence", fail)
    times = {path: path.stat().st_mtime_ns for path in data.root.rglob("*")}
    again = generate(data.root, SETTINGS, progress=False)
    assert again.sequences("train") == data.sequences("train")
    assert times == {path: path.stat().st_mtime_ns for path in data.root.rglob("*")}


@pytest.mark.parametrize("change", [{"seed": 1}, {"frames": 4}, {"num_val": 1}, {"size": (64, 64)}])
def test_other_settings_are_refused(data, change):
    with pytest.raises(DataError, match="generated with other settings"):
        generate(data.root, dataclasses.replace(SETTINGS, **change), progress=False)


def test_other_backgrounds_are_refused(data, tmp_path):
    Image.new("RGB", (96, 64)).save(tmp_path / "black.png")
    backgrounds = [tmp_path / "black.png"]
    with pytest.raises(DataError, match="generated with other settings"):
        generate(data.root, SETTINGS, val_backgrounds=backgrounds, progress=False)


def test_a_folder_with_other_contents_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        generate(tmp_path, SETTINGS, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    root = tmp_path / "empty"
    root.mkdir()
    settings = dataclasses.replace(SETTINGS, num_train=1, num_val=1)
    assert (generate(root, settings, progress=False).root / GENERATED).is_file()


def test_a_faulty_background_leaves_nothing(tmp_path):
    (tmp_path / "faulty.png").write_bytes(b"no image")
    root, backgrounds = tmp_path / "videos", [tmp_path / "faulty.png"]
    with pytest.raises(DataError, match=r"faulty\.png"):
        generate(root, SETTINGS, train_backgrounds=backgrounds, progress=False)
    assert not root.exists()


@pytest.mark.parametrize(
    "change", [{"num_train": 0}, {"num_val": 0}, {"frames": 2}, {"size": (63, 96)}]
)
def test_too_small_settings(tmp_path, change):
    with pytest.raises(ValueError, match="at least 1 sequence per split, 3 frames and 64 x 64"):
        generate(tmp_path, dataclasses.replace(SETTINGS, **change), progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", range(8))
def test_masks_of_a_sequence(seed):
    images, masks = draw_sequence(np.random.default_rng(seed), (64, 96), 4)
    assert len(images) == len(masks) == 4
    assert all(each.dtype == np.uint8 and each.shape == (64, 96, 3) for each in images)
    counts = np.bincount(masks[0].ravel())
    count = len(counts) - 1
    assert count in (2, 3)
    assert counts[1:].min() >= 100
    for mask in masks:
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= set(range(count + 1))


def test_objects_of_all_first_masks(data):
    for mask in first_masks(data):
        counts = np.bincount(mask.ravel())
        assert len(counts) in (3, 4)
        assert counts[1:].min() >= 100


def test_masked_pixels_do_not_show_the_background():
    dark, bright = (np.full((64, 96, 3), value, np.uint8) for value in (90, 180))
    pairs = [
        draw_sequence(np.random.default_rng(4), (64, 96), 3, background)
        for background in (dark, bright)
    ]
    (first, masks), (second, same) = pairs
    np.testing.assert_array_equal(masks, same)
    for mask, one, other in zip(masks, first, second, strict=True):
        change = np.abs(one.astype(int) - other).max(axis=-1)
        # The rim of an object is transparent.
        inner = (ndimage.minimum_filter(mask, 3, mode="constant") == mask) & (mask > 0)
        assert inner.sum() > 100
        assert not change[inner].any()
        assert (change[mask == 0] > 40).mean() > 0.5


@pytest.mark.parametrize("shape", [(64, 96), (50, 400), (300, 70)])
def test_a_given_background_is_used(shape):
    color = np.array([230, 20, 120], np.uint8)
    background = np.broadcast_to(color, (*shape, 3)).copy()
    for seed in range(3):
        images, masks = draw_sequence(np.random.default_rng(seed), (64, 96), 3, background)
        # The first frame has no change of light yet, and a bar covers a tenth at most.
        shown = np.median(images[0][masks[0] == 0], axis=0)
        np.testing.assert_allclose(shown, color, atol=4)


def test_backgrounds_take_turns(tmp_path):
    colors = {"red": (220, 30, 30), "blue": (30, 30, 220)}
    for name, color in colors.items():
        Image.new("RGB", (120, 80), color).save(tmp_path / f"{name}.png")
    davis = generate(
        tmp_path / "videos",
        SETTINGS,
        train_backgrounds=[tmp_path / f"{name}.png" for name in colors],
        val_backgrounds=[tmp_path / "blue.png"],
        progress=False,
    )
    shown = {"train": ("red", "blue", "red"), "val": ("blue", "blue")}
    for split, names in shown.items():
        for sequence, name in zip(davis.sequences(split), names, strict=True):
            image = davis.read_frame(sequence.frames[0])
            scene = image[davis.read_mask(sequence.masks[0]) == 0]
            np.testing.assert_allclose(np.median(scene, axis=0), colors[name], atol=8)
