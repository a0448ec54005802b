"""A small CamVid in SegNet's layout with one file per kind of fault, and valid files."""

import pathlib

import numpy as np
from PIL import Image

SIZE = (32, 48)
# Sky above, road below, one row of void between.
LABEL = np.repeat(np.array([0] * 20 + [11] + [3] * 11, np.uint8)[:, np.newaxis], SIZE[1], axis=1)


def write_pair(root: pathlib.Path, split: str, stem: str, image=None, label=LABEL) -> None:
    """Writes an image, one of noise by default, and its label."""
    if image is None:
        seed = [*split.encode(), *stem.encode()]
        image = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
    for folder, pixels in ((split, image), (f"{split}annot", label)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / folder / f"{stem}.png")


def truncate(path: pathlib.Path, length: int = 60) -> None:
    """Leaves the first bytes of a file."""
    path.write_bytes(path.read_bytes()[:length])


def write_good(root: pathlib.Path) -> pathlib.Path:
    """Three pairs in train and two in val, all good."""
    for split, stems in (("train", "abc"), ("val", "de")):
        for stem in stems:
            write_pair(root, split, stem)
    return root


def write_faulty(root: pathlib.Path) -> pathlib.Path:
    """One of each fault in train, between two good pairs, and a good val."""
    write_pair(root, "train", "a_good")
    write_pair(root, "train", "cut_image")
    truncate(root / "train" / "cut_image.png")
    write_pair(root, "train", "cut_label")
    truncate(root / "trainannot" / "cut_label.png")
    write_pair(root, "train", "no_image")
    (root / "train" / "no_image.png").unlink()
    write_pair(root, "train", "no_label")
    (root / "trainannot" / "no_label.png").unlink()
    write_pair(root, "train", "other_size", label=LABEL[:, :40])
    write_pair(root, "train", "small", np.zeros((31, 48, 3), np.uint8), LABEL[:31])
    write_pair(root, "train", "text")
    (root / "train" / "text.png").write_text("no image", encoding="utf-8")
    unknown = LABEL.copy()
    unknown[:2, :5] = 77
    unknown[31, 47] = 12
    write_pair(root, "train", "unknown", label=unknown)
    write_pair(root, "train", "z_good")
    write_pair(root, "val", "d")
    return root
