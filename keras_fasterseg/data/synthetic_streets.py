"""Synthetic street scenes: a data set in Cityscapes' layout, generated in about a minute."""

import concurrent.futures
import pathlib

import numpy as np
from cityscapesscripts.helpers.labels import labels
from PIL import Image

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import make_label_lookup
from keras_fasterseg.data.streets.scene import draw_scene
from keras_fasterseg.files import PathLike, atomic_path, read_json, write_json
from keras_fasterseg.progress import progress_bar

MARKER = "synthetic_streets.json"
_CITY = "synthetic"
# Increased whenever the same seed gives different pixels.
_VERSION = 2
_TRAIN_IDS = make_label_lookup({label.id: label.trainId for label in labels if label.id >= 0})


class SyntheticStreets(Cityscapes):
    """A data set made by `generate`: Cityscapes' folders, ids and 19 classes.

    The scenes are drawn, not photographed. They suit demonstrations, tests and a first look at a
    device, but do not train a network for real streets.

    Raises:
        DataError: `root` is not a folder, or its data set is incomplete.
    """

    name = "synthetic"

    def __init__(self, root: str | pathlib.Path) -> None:
        super().__init__(root)
        if not (self.root / MARKER).is_file():
            raise DataError(
                f"{self.root} does not contain a complete synthetic data set; generate it (again)."
            )


def generate(
    root: PathLike,
    *,
    num_train: int,
    num_val: int,
    height: int = 128,
    width: int = 256,
    seed: int = 0,
    progress: bool = True,
) -> SyntheticStreets:
    """Draws a data set, or opens it if it already exists.

    Image `i` of a split depends only on `seed`, the split, `i` and the size, not on the number of
    images. A split of at least 40 images shows all 19 classes.

    Args:
        root: Folder to write to.
        num_train: Number of images in the split "train".
        num_val: Number of images in the split "val".
        height: Height of the images in pixels, at least 32.
        width: Width of the images in pixels, at least 32.
        seed: The same seed gives identical files, bit for bit.
        progress: Whether to show a progress bar.

    Returns:
        The data set.

    Raises:
        ValueError: A count or a size is too small.
        DataError: `root` holds a data set made with other parameters. A data set that version 1
            drew with the same parameters is accepted.
        OSError: The files cannot be written.
    """
    if min(num_train, num_val) < 1 or min(height, width) < 32:
        raise ValueError(
            "A synthetic data set needs at least 1 image per split, of at least 32 x 32 pixels. "
            f"Received: num_train={num_train}, num_val={num_val}, height={height}, width={width}"
        )
    root = pathlib.Path(root)
    parameters = {
        "version": _VERSION,
        "num_train": num_train,
        "num_val": num_val,
        "height": height,
        "width": width,
        "seed": seed,
    }
    marker = root / MARKER
    if marker.is_file():
        found = read_json(marker)
        # A data set of an earlier version is complete, and existing runs use it.
        if found != parameters and found != {**parameters, "version": 1}:
            raise DataError(
                f"{root} holds synthetic streets made with {found}, not with {parameters}; "
                "choose another folder or remove this one."
            )
        return SyntheticStreets(root)
    for number, (split, count) in enumerate((("train", num_train), ("val", num_val))):
        images, annotations = (root / kind / split / _CITY for kind in ("leftImg8bit", "gtFine"))
        with atomic_path(images) as images, atomic_path(annotations) as annotations:
            images.mkdir()
            annotations.mkdir()
            jobs = [
                (images, annotations, (seed, number), index, height, width)
                for index in range(count)
            ]
            with concurrent.futures.ThreadPoolExecutor(available_cores().threads) as threads:
                done = threads.map(_write_scene, *zip(*jobs, strict=True))
                description = f"drawing streets for {split}"
                for _ in progress_bar(done, description, unit="image", total=count, show=progress):
                    pass
    write_json(marker, parameters)
    return SyntheticStreets(root)


def _write_scene(
    images: pathlib.Path,
    annotations: pathlib.Path,
    seed: tuple[int, int],
    index: int,
    height: int,
    width: int,
) -> None:
    rng = np.random.default_rng((*seed, index))
    image, raw_ids, instance_ids = draw_scene(rng, index, height, width)
    train_ids = _TRAIN_IDS[raw_ids]
    stem = f"{_CITY}_{index:06d}_000000"
    Image.fromarray(image).save(images / f"{stem}_leftImg8bit.png", compress_level=3)
    Image.fromarray(raw_ids).save(annotations / f"{stem}_gtFine_labelIds.png")
    Image.fromarray(train_ids).save(annotations / f"{stem}_gtFine_labelTrainIds.png")
    Image.fromarray(instance_ids).save(annotations / f"{stem}_gtFine_instanceIds.png")
