import json
import socket

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from tests.serving.model_server import Answer, model_server
from tests.stand_in import random_images
from tests.tools.run_tool import run_tool, sentence

CLASS_IDS = np.arange(32 * 40, dtype=np.uint8).reshape(1, 32, 40) % 11
GOOD = Answer(200, json.dumps({"predictions": CLASS_IDS.tolist()}).encode())


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, name in enumerate("abc"):
        Image.fromarray(random_images(32, 40, seed=seed)).save(folder / f"{name}.png")
    return folder


def client(address, images, *arguments):
    return run_tool(
        "serving.client",
        f"--server={address}",
        "--model=student",
        f"--images={images}",
        f"--output={images.parent}/out",
        *arguments,
    )


def test_label_maps_and_overlays_in_the_colours_of_a_data_set(images):
    with model_server(GOOD) as server:
        finished = client(server.address, images, "--dataset=camvid", "--opacity=1")
    out = images.parent / "out"
    assert finished.status == 0, finished.stderr
    assert finished.stdout == f"Wrote 3 label maps to {out}\n"
    for name, request in zip("abc", server.received, strict=True):
        sent = np.array(json.loads(request.body)["instances"], np.uint8)
        np.testing.assert_array_equal(sent[0], np.asarray(Image.open(images / f"{name}.png")))
        np.testing.assert_array_equal(np.asarray(Image.open(out / f"{name}.png")), CLASS_IDS[0])
        overlay = np.asarray(Image.open(out / f"{name}_overlay.png"))
        np.testing.assert_array_equal(overlay, CamVid.palette[CLASS_IDS[0]])


def test_colours_that_a_file_of_the_data_set_describes(images, tmp_path):
    (tmp_path / "yard").mkdir()
    (tmp_path / "yard" / "train.csv").write_text("image,label\n")
    classes = [{"name": f"class {index}", "color": [index, 2, 3]} for index in range(11)]
    (tmp_path / "yard" / "dataset.yaml").write_text(json.dumps({"classes": classes}))
    with model_server(GOOD) as server:
        arguments = ("--dataset=csv", f"--data_dir={tmp_path}/yard", "--opacity=1")
        finished = client(server.address, images, *arguments)
    assert finished.status == 0, finished.stderr
    overlay = np.asarray(Image.open(tmp_path / "out" / "a_overlay.png"))
    np.testing.assert_array_equal(overlay[..., 0], CLASS_IDS[0])
    assert (overlay[..., 1:] == (2, 3)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset=csv",), "'csv' are described in its folder; set --data_dir"),
        (("--data_dir=yard",), "--data_dir needs --dataset"),
    ],
)
def test_a_data_set_and_its_folder(images, arguments, message):
    assert message in sentence(client("127.0.0.1:1", images, *arguments))


def test_every_failure_is_a_sentence_and_the_others_are_done(images):
    (images / "b.png").write_bytes(b"no image")
    refusal = Answer(400, b'{"error": "too large"}')
    with model_server(refusal, GOOD) as server:
        finished = client(server.address, images, "--opacity=0")
    assert finished.status == 1
    assert "Traceback" not in finished.stderr
    failures = [line for line in finished.stderr.splitlines() if line.startswith("client.py: ")]
    assert len(failures) == 2
    assert failures[0].startswith(f"client.py: {images}/a.png: http://{server.address}/v1/models/")
    assert failures[0].endswith("answered 400 Bad Request: too large")
    assert failures[1] == (
        f"client.py: {images}/b.png is not an image that can be read "
        "(PNG, JPEG, BMP, TIFF, WEBP, PPM); replace the file."
    )
    assert [path.name for path in (images.parent / "out").iterdir()] == ["c.png"]


def test_the_limit_of_megapixels(images):
    Image.new("L", (1001, 1000)).save(images / "a.png")
    with model_server(GOOD) as server:
        finished = client(server.address, images, "--max_megapixels=1")
    assert finished.status == 1
    assert f"client.py: {images}/a.png is 1000 x 1001, 1.0 megapixels, and the" in finished.stderr
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "protocol",
    ["rest", pytest.param("grpc", marks=pytest.mark.backends("tensorflow")), "triton"],
)
def test_nobody_there(images, protocol):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    finished = client(address, images, f"--protocol={protocol}", "--attempts=1")
    assert finished.status == 1
    *_, failure, left_out = finished.stderr.splitlines()
    assert failure.startswith(f"client.py: {images}/a.png: ")
    assert address in failure
    assert left_out == "client.py: The remaining 2 images were not sent."
    assert not (images.parent / "out").exists()


def test_wrong_flags_are_said(images):
    assert "soap" in sentence(client("127.0.0.1:1", images, "--protocol=soap"))
    assert "`timeout_s`" in sentence(client("127.0.0.1:1", images, "--timeout=0"))
    assert "does not exist" in client("127.0.0.1:1", images / "z.png").stderr
