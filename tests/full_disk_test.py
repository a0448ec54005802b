"""Every kind of file on a full disk: the previous file stays, and nothing else is left.

Exports, converted data sets and a complete run: tests/tools.
"""

import fractions
import os
import pathlib
import subprocess

import keras
import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.files import atomic_path, write_json, write_text
from keras_fasterseg.inference.video_writer import VideoWriter
from keras_fasterseg.run.checkpoints import Checkpoints
from tools import command

# Larger than the room that is left.
_BYTES = 200_000


def noise(version: int, shape=(_BYTES // 4,)) -> np.ndarray:
    return np.random.default_rng(version).integers(0, 256, shape, "uint8")


def model(version: int) -> keras.Model:
    """A compiled model of a few hundred kilobytes."""
    found = keras.Sequential([keras.Input((256,)), keras.layers.Dense(256, name="dense")])
    found.compile(keras.optimizers.SGD(0.1), "mse")
    found.trainable_variables[0].assign(noise(version, (256, 256)).astype("float32"))
    return found


def write_table(folder: pathlib.Path, version: int) -> None:
    write_json(folder / "table.json", {"rows": noise(version).tolist()})


def write_page(folder: pathlib.Path, version: int) -> None:
    write_text(folder / "search.html", noise(version).tobytes().hex())


def write_checkpoint(folder: pathlib.Path, version: int) -> None:
    Checkpoints(folder).save(model(version), version, 0, {"minutes": 1.0})


def write_network(folder: pathlib.Path, version: int) -> None:
    with atomic_path(folder / "network.keras") as path:
        model(version).save(path)


def write_weights(folder: pathlib.Path, version: int) -> None:
    with atomic_path(folder / "supernet.weights.h5") as path:
        model(version).save_weights(path)


def write_picture(folder: pathlib.Path, version: int) -> None:
    with atomic_path(folder / "map.png") as path:
        Image.fromarray(noise(version, (256, 256, 3))).save(path)


def write_figure(folder: pathlib.Path, version: int) -> None:
    from keras_fasterseg.visualization.card import chart, save_figure

    figure, axes = chart(4, "title", "x", "y")
    axes.plot(noise(version, (9000,)))
    save_figure(figure, folder / "figure.svg")


def write_video(folder: pathlib.Path, version: int) -> None:
    rate = fractions.Fraction(10)
    with atomic_path(folder / "video.mp4") as path, VideoWriter(path, rate, 1 / rate) as writer:
        for time in range(4):
            writer.write(noise(version + time, (256, 256, 3)), time)


def write_arrays(folder: pathlib.Path, version: int) -> None:
    with atomic_path(folder / "arrays.npz") as path:
        np.savez(path, noise(version, (_BYTES,)))


@pytest.fixture
def disk(tmp_path):
    """A file system of two megabytes."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield tmp_path
    # HDF5 keeps a file open that it could not complete.
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def files(folder: pathlib.Path) -> dict[pathlib.Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "write",
    [
        write_table,
        write_page,
        write_checkpoint,
        write_network,
        write_weights,
        write_picture,
        write_figure,
        write_video,
        write_arrays,
    ],
)
def test_the_previous_file_stays(disk, write):
    folder = disk / "folder"
    folder.mkdir()
    write(folder, 1)
    before = files(folder)
    room = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(room.f_bavail * room.f_bsize - 40_000))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        write(folder, 2)
    assert command._is_full_disk(caught.value), repr(caught.value)
    assert command._is_failure(caught.value)
    assert files(folder) == before
    assert [path.name for path in folder.iterdir()] == [
        *dict.fromkeys(path.relative_to(folder).parts[0] for path in before)
    ]
    (disk / "filler").unlink()
    write(folder, 2)
    assert files(folder) != before
