"""The tool as a user calls it: what is written, what is printed, and what can go wrong."""

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.export.saved_model import export_saved_model
from tests.stand_in import MEAN, NUM_CLASSES, STD, random_images, segmentation_network
from tests.tools.run_tool import run_tool, sentence
from tests.videos import decoded, numbered_frames, write_lossless


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "1"
    return export_saved_model(
        segmentation_network(), path, num_classes=NUM_CLASSES, mean=MEAN, std=STD
    )


def predict(artefact, images, output, *arguments):
    return run_tool(
        *("predict", f"--artefact={artefact}", f"--images={images}", f"--output={output}"),
        *arguments,
    )


def test_a_folder_of_all_that_there_is(artefact, tmp_path):
    """Odd sizes, kinds of pixels, and those that cannot be read, each with its sentence."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    rgb = random_images(45, 61)
    Image.fromarray(rgb).save(folder / "odd.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    # A quarter counterclockwise, so that viewers turn it clockwise.
    Image.fromarray(np.rot90(rgb).copy()).save(folder / "turned.png", exif=exif)
    Image.fromarray(rgb[..., 0]).save(folder / "grey.jpg")
    Image.fromarray(np.dstack([rgb, rgb[..., 0]])).save(folder / "alpha.png")
    Image.fromarray(np.zeros((45, 61), np.uint16)).save(folder / "deep.png")
    Image.new("CMYK", (61, 45)).save(folder / "ink.jpg")
    (folder / "corrupt.png").write_bytes((folder / "odd.png").read_bytes()[:300])
    Image.fromarray(rgb[:20]).save(folder / "small.png")
    finished = predict(artefact, folder, out)
    assert finished.status == 1
    assert "Traceback" not in finished.stderr
    said = [line for line in finished.stderr.splitlines() if line.startswith("predict.py: ")]
    expected = {
        "corrupt.png": "is damaged or cannot be read",
        "deep.png": "is stored as 16-bit grey PNG",
        "ink.jpg": "is stored as 8-bit CMYK JPEG",
        "small.png": "Height and width of the images must be at least 32",
    }
    assert len(said) == len(expected)
    for line, (name, words) in zip(said, expected.items(), strict=True):
        assert line.startswith(f"predict.py: {folder}/{name}")
        assert words in line
    names = {path.name for path in out.iterdir()}
    assert names == {
        f"{stem}{kind}.png"
        for stem in ("odd", "turned", "grey", "alpha")
        for kind in ("", "_overlay", "_side_by_side")
    }
    maps = {
        stem: np.asarray(Image.open(out / f"{stem}.png")) for stem in ("odd", "turned", "alpha")
    }
    assert len(np.unique(maps["odd"])) > 1
    np.testing.assert_array_equal(maps["turned"], maps["odd"])
    np.testing.assert_array_equal(maps["alpha"], maps["odd"])
    assert f"Wrote the pictures of 4 images to {out}" in finished.stdout
    assert "End to end: " in finished.stdout
    assert "Network alone: " in finished.stdout


def test_a_video(artefact, tmp_path):
    pytest.importorskip("av")
    source = write_lossless(tmp_path / "a.mov", numbered_frames(12), 30)
    finished = predict(artefact, source, tmp_path / "out.mp4", "--threads=1")
    assert finished.status == 0, finished.stderr
    assert f"Wrote 12 frames to {tmp_path}/out.mp4" in finished.stdout
    assert "1 thread)" in finished.stdout
    assert "12/12" in finished.stderr
    frames, _, facts = decoded(tmp_path / "out.mp4")
    assert (len(frames), facts["rate"]) == (12, 30)


@pytest.mark.parametrize(
    ("images", "output", "arguments", "expected"),
    [
        ("gone", "out", (), "The file IN/gone does not exist."),
        ("gone/*.png", "out", (), "No file matches IN/gone/*.png."),
        ("", "out", (), "IN has no images."),
        ("gone.mp4", "out", (), "The file IN/gone.mp4 does not exist."),
        ("rtsp://127.0.0.1:9/x", "out", (), "For a camera of this machine, use camera:0."),
        ("/dev/video99", "out", (), "No camera 99: the device /dev/video99 does not exist"),
        ("text.mp4", "out", (), "IN/text.mp4 is not a readable video"),
        ("../a.png", "out", ("--runtime=tvm",), "Unknown runtime 'tvm'"),
        ("../a.png", "out", ("--artefact=IN/gone",), "IN/gone"),
        ("../a.png", "out", ("--dataset=camvid",), "has 5 classes, but the data set camvid has 11"),
        ("../a.png", "out", ("--class_colors=red",), "Received: --class_colors=red"),
        ("../a.png", "out", ("--opacity=2",), "--opacity must be at most 1"),
        ("../a.png", "out", ("--threads=0",), "--threads must be at least 1"),
    ],
)
def test_one_sentence_and_nothing_written(artefact, tmp_path, images, output, arguments, expected):
    pytest.importorskip("av")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "text.mp4").write_text("no video", encoding="utf-8")
    Image.fromarray(random_images(32, 40)).save(tmp_path / "a.png")
    given = [argument.replace("IN", str(folder)) for argument in arguments]
    is_elsewhere = "://" in images or images.startswith("/")
    path = images if is_elsewhere else f"{folder}/{images}".removesuffix("/")
    message = sentence(predict(artefact, path, tmp_path / output, *given))
    assert message.startswith("predict.py: ")
    assert expected.replace("IN", str(folder)) in message
    assert not (tmp_path / output).exists()


def test_no_camera(artefact, tmp_path):
    pytest.importorskip("av")
    message = sentence(predict(artefact, "camera:99", tmp_path / "out"))
    assert "No camera 99: the device /dev/video99 does not exist" in message
    assert "such as camera:0" in sentence(predict(artefact, "camera:front", tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
