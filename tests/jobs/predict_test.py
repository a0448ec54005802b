"""From an artefact and images to pictures and what is said of them."""

import types

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.palette import default_palette
from keras_fasterseg.export.manifest import extend_manifest
from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.inference.predictor import Predictor
from keras_fasterseg.jobs import predict as predict_module
from keras_fasterseg.jobs.predict import predict
from keras_fasterseg.jobs.prediction import Prediction
from keras_fasterseg.settings.prediction import PredictSettings
from tests.runtimes import exports
from tests.stand_in import (
    MEAN,
    NUM_CLASSES,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
)
from tests.videos import decoded, numbered_frames, write_lossless

PROOF = {"images": 4, "of": "camvid val", "by": "saved_model", "equal_labels": 1.0}
PROOF |= {"logits_difference": 0.0, "logits_size": 1.0}


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("predict") / "1"
    names = tuple("abcde")
    options = {"num_classes": NUM_CLASSES, "mean": MEAN, "std": STD, "class_names": names}
    export_saved_model(exports.network(), path, **options)
    extend_manifest(path, {"proof": PROOF})
    return path


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_images_of_all_sizes_through_a_saved_model(saved_model, tmp_path):
    images = {
        f"{index}.png": random_images(*size)
        for index, size in enumerate(((96, 128), (47, 61), (96, 128)))
    }
    for name, pixels in images.items():
        save(tmp_path / "in" / name, pixels)
    prediction = predict(str(saved_model), str(tmp_path / "in"), str(tmp_path / "out"))
    assert (prediction.count, prediction.failures) == (3, ())
    for name, pixels in images.items():
        class_ids = np.asarray(Image.open(tmp_path / "out" / name))
        assert_same_classes(class_ids, expected_logits(exports.network(), pixels[np.newaxis])[0])
        overlay = np.asarray(Image.open(tmp_path / "out" / name.replace(".", "_overlay.")))
        mixed = (pixels + default_palette()[class_ids].astype(float)) / 2
        assert np.abs(overlay - mixed).max() <= 1
        beside = np.asarray(Image.open(tmp_path / "out" / name.replace(".", "_side_by_side.")))
        np.testing.assert_array_equal(beside[:, : pixels.shape[1]], pixels)
        np.testing.assert_array_equal(beside[:, -pixels.shape[1] :], overlay)
    assert len(list((tmp_path / "out").iterdir())) == 9
    proven, what, end_to_end, network = prediction.text().splitlines()
    assert proven == "Proven at export: 100.000 % equal labels on 4 images of camvid val"
    assert what == f"Wrote the pictures of 3 images to {tmp_path}/out"
    assert end_to_end.startswith("End to end: ")
    assert "(3 images in " in end_to_end
    # Two sizes came once, and one of them again.
    assert network.startswith("Network alone: ")
    assert "ms of 1 calls, without the first of each size; uint8 images of 2 sizes" in network


def test_a_network_of_one_size_takes_all(tmp_path, caplog):
    pytest.importorskip("onnxruntime")
    path = exports.export("onnx", "class_ids")
    flat = np.full((50, 70, 3), 90, np.uint8)
    save(tmp_path / "a.png", flat)
    settings = PredictSettings(overlay_only=True, opacity=1.0, stretch=True)
    predict(str(path), str(tmp_path / "a.png"), str(tmp_path / "out"), settings)
    assert "the images are stretched because of --stretch." in caplog.messages[-1]
    (overlay,) = (tmp_path / "out").iterdir()
    assert overlay.name == "a_overlay.png"
    # What is flat stays flat when it is resized.
    logits = expected_logits(exports.network(), np.full((1, *exports.SIZE, 3), 90, np.uint8))
    rows = (np.arange(50) + 0.5) * exports.SIZE[0] / 50
    columns = (np.arange(70) + 0.5) * exports.SIZE[1] / 70
    nearest = logits[0][rows.astype(int)][:, columns.astype(int)]
    shown = np.asarray(Image.open(overlay))
    class_ids = (shown[..., np.newaxis, :] == default_palette()[:NUM_CLASSES]).all(-1).argmax(-1)
    assert_same_classes(class_ids, nearest)


def test_two_artefacts_and_a_legend(saved_model, tmp_path):
    other = exports.export("saved_model")
    save(tmp_path / "a.png", random_images(64, 160))
    settings = PredictSettings(side_by_side=str(other), legend=True, opacity=1.0)
    target = tmp_path / "out"
    prediction = predict(str(saved_model), str(tmp_path / "a.png"), str(target), settings)
    overlay = Image.open(target / "a_overlay.png")
    beside = Image.open(target / "a_side_by_side.png")
    assert overlay.height > 64
    assert beside.width == 2 * 160 + 4
    assert beside.height > overlay.height
    assert list(prediction.networks) == [str(saved_model), str(other)]
    lines = prediction.text().splitlines()
    assert lines[0].startswith(f"{saved_model}: Proven at export")
    assert lines[-1] == (
        f"Network alone, {other}: not measured: the first call of each size does not count, and no "
        "size occurred twice"
    )


def test_a_video(saved_model, tmp_path):
    pytest.importorskip("av")
    write_lossless(tmp_path / "a.mov", numbered_frames(10))
    settings = PredictSettings(label_maps=True, legend=True, max_frames=6)
    prediction = predict(str(saved_model), f"{tmp_path}/a.mov", str(tmp_path), settings)
    assert prediction.text().splitlines()[1] == f"Wrote 6 frames to {tmp_path}/a.mp4"
    assert "ms of 5 calls" in prediction.text()
    assert "uint8 images of 48x64" in prediction.text()
    assert len(decoded(tmp_path / "a.mp4")[0]) == 6
    first = np.asarray(Image.open(tmp_path / "a_label_maps" / "000000.png"))
    logits = expected_logits(exports.network(), numbered_frames(1)[0][np.newaxis])
    assert_same_classes(first, logits[0])


def test_what_is_said_of_a_trained_network(tmp_path):
    """One that has been called twice in Keras's words; the times are not looked at."""

    class Runner:
        metadata, input_size, batch_size, outputs = {}, None, None, ("class_ids",)

        def __call__(self, images):
            return images[..., 0]

        def describe(self):
            return {"runtime": "keras", "device": "CPU", "threads": 2}

    predictor = Predictor(Runner())
    for _ in range(3):
        predictor(random_images(1, 32, 40))
    text = Prediction("Wrote it", (), 4, "frame", 2.0, {"a": predictor}).text()
    what, end_to_end, network = text.splitlines()
    assert what == "Wrote it"
    assert end_to_end == (
        "End to end: 2.0 FPS (4 frames in 2.0 s, from reading to writing, including first calls "
        "but not loading)"
    )
    assert network.endswith(
        "ms of 2 calls, without the first of each size; uint8 images of 32x40 in host memory to "
        "class ids in host memory, keras on CPU, 2 threads)"
    )
    slow = Prediction("", (), 1, "image", 21.0, {}).text()
    assert "End to end: 0.0476 FPS (1 image in 21.0 s" in slow
    assert "1 image in" in Prediction("", (), 1, "image", 2.0, {}).text()
    assert Prediction("Wrote it", (), 0, "image", 2.0, {}).text() == "Wrote it"


@pytest.mark.parametrize(
    ("images", "output", "settings", "message"),
    [
        ("in", "out", {"opacity": 1.5}, "at most 1. Received: --opacity=1.5"),
        ("in", "out", {"opacity": 0.0}, "opacity must be above 0"),
        ("in", "out.mp4", {}, "--output must be a folder. Received: --output=.*out.mp4"),
        ("in", "out", {"max_frames": 3}, "for videos and cameras. Received: --images=.*in"),
        ("in", "out", {"label_maps": True}, "for videos and cameras"),
        ("a.mp4", "out", {"ids": "dataset"}, "--ids=dataset is for label maps; add --label_maps"),
        ("in", "out", {"side_by_side": "x", "overlay_only": True}, "exclude each other"),
        ("in", "out", {"side_by_side": "gone"}, "gone cannot be compared with itself"),
        ("a.mp4", "out.avi", {}, "must be an .mp4 file or a folder"),
        ("a.mp4", "a.mp4", {}, "a.mp4 would be overwritten by its own result"),
        ("a.mp4", ".", {}, "a.mp4 would be overwritten by its own result"),
        ("a.MP4", "out", {"max_frames": 0}, "max_frames must be at least 1"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, images, output, settings, message):
    with pytest.raises(ValueError, match=message):
        predict("gone", f"{tmp_path}/{images}", f"{tmp_path}/{output}", PredictSettings(**settings))
    assert list(tmp_path.iterdir()) == []


def test_a_legend_of_a_video_needs_the_classes(tmp_path, monkeypatch):
    pytest.importorskip("av")
    write_lossless(tmp_path / "a.mov", numbered_frames(2))

    class Runner:
        metadata = types.MappingProxyType({})

    monkeypatch.setattr(predict_module, "_open", lambda *_: Predictor(Runner()))
    with pytest.raises(ValueError, match="their names are not known"):
        predict("x", f"{tmp_path}/a.mov", f"{tmp_path}/b.mp4", PredictSettings(legend=True))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("0", r"The file 0 does not exist\. For the camera of that number, give camera:0\."),
        ("gone.png", r"The file gone\.png does not exist\."),
        ("rtsp://127.0.0.1:9/x", r"rtsp://127.0.0.1:9/x cannot be read .* machine, use camera:0\."),
        ("/dev/video97", r"No camera 97: the device /dev/video97 does not exist"),
        ("file:///a.mp4", r"The address of a video must begin with http://"),
    ],
)
def test_what_is_not_there_is_said_before_a_network_is_loaded(
    tmp_path, monkeypatch, images, message
):
    pytest.importorskip("av")
    monkeypatch.setattr(predict_module, "_open", lambda *_: pytest.fail("loaded in vain"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        predict("gone", images, "out")
    assert list(tmp_path.iterdir()) == []


def test_a_video_of_an_address_or_a_camera_has_its_name():
    names = {
        "rtsp://host:554/stream1?a=b": "stream1",
        "rtsp://host/": "host",
        "rtsp://host/?user=admin&password=x/y.mp4": "host",
        "camera:2": "camera_2",
    }
    for images, name in names.items():
        assert predict_module._video_target(images, "out").as_posix() == f"out/{name}.mp4"


def test_networks_of_other_classes_are_not_compared(tmp_path, monkeypatch):
    class Runner:
        def __init__(self, count):
            self.metadata = {"num_classes": count}

    runners = {"x": Runner(11), "y": Runner(19)}
    monkeypatch.setattr(predict_module, "_open", lambda name, _: Predictor(runners[name]))
    image = save(tmp_path / "a.png", random_images(32, 40))
    with pytest.raises(ValueError, match=r"the same classes: x has 11, y has 19\."):
        predict("x", str(image), f"{tmp_path}/out", PredictSettings(side_by_side="y"))


def described(folder, *lines):
    for part in ("images", "labels"):
        (folder / part / "train").mkdir(parents=True)
    (folder / "dataset.yaml").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("order", [None, "a,b,c,d,e"])
@pytest.mark.parametrize("kind", ["ids", "colors"])
def test_label_maps_with_the_ids_of_the_data_set(saved_model, tmp_path, kind, order):
    """Also where the data set has its classes in another order than the network."""
    ids, colors = (7, 3, 200, 0, 11), [[index, 10, 255 - index] for index in range(5)]
    classes = [
        f"  - {{name: {name}, color: {color}" + (f", ids: {own}}}" if kind == "ids" else "}")
        for name, own, color in zip("abcde", ids, colors, strict=True)
    ]
    if order is not None:
        classes.reverse()
    data = described(tmp_path / "data", f"labels: {kind}", "classes:", *classes)
    save(tmp_path / "a.png", random_images(64, 96))
    options = {"dataset": "folder", "data_dir": data, "class_order": order}
    maps = {}
    for chosen in ("classes", "dataset"):
        target = tmp_path / chosen
        settings = PredictSettings(ids=chosen)
        predict(str(saved_model), f"{tmp_path}/a.png", str(target), settings, **options)
        maps[chosen] = Image.open(target / "a.png")
    class_ids = np.asarray(maps["classes"])
    assert len(np.unique(class_ids)) > 1
    own = np.asarray(maps["dataset"])
    np.testing.assert_array_equal(own, np.array(ids if kind == "ids" else colors)[class_ids])
    # Viewers show the colours of the classes either way.
    shown = [np.asarray(each.convert("RGB")) for each in maps.values()]
    np.testing.assert_array_equal(*shown)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({}, {}, "set --dataset, and do not set"),
        (
            {"overlay_only": True},
            {"dataset": "camvid"},
            "is for label maps; remove --overlay_only",
        ),
        ({}, {"dataset": "camvid"}, "'camvid' are described in its folder; set --data_dir"),
        (
            {},
            {"dataset": "bdd100k"},
            r"has 5 classes \(a, b, c, d, e\), but the data set bdd100k",
        ),
        ({}, {"dataset": "folder"}, r"has 5 \(b, a, c, d, e\): the same names in another order"),
        ({}, {"dataset": "folder", "class_names": "abcde"}, "and do not set --class_names"),
    ],
)
def test_ids_of_another_data_set_are_refused(saved_model, tmp_path, settings, options, message):
    data = described(tmp_path / "data", "classes: [b, a, c, d, e]")
    save(tmp_path / "a.png", random_images(64, 96))
    if options.get("dataset") == "folder":
        options = {**options, "data_dir": data}
    settings = PredictSettings(ids="dataset", **settings)
    with pytest.raises(ValueError, match=message):
        predict(str(saved_model), f"{tmp_path}/a.png", f"{tmp_path}/out", settings, **options)
    assert not (tmp_path / "out").exists()


def test_networks_whose_classes_are_in_another_order_are_not_compared(tmp_path, monkeypatch):
    class Runner:
        def __init__(self, *names):
            self.metadata = {"num_classes": len(names), "class_names": list(names)}

    runners = {"x": Runner("grass", "path"), "y": Runner("path", "grass")}
    monkeypatch.setattr(predict_module, "_open", lambda name, _: Predictor(runners[name]))
    image = save(tmp_path / "a.png", random_images(32, 40))
    with pytest.raises(ValueError, match=r"order: x has grass, path; y has path, grass\."):
        predict("x", str(image), f"{tmp_path}/out", PredictSettings(side_by_side="y"))


def test_the_limit_of_megapixels(saved_model, tmp_path):
    save(tmp_path / "a.png", np.zeros((1000, 1001), np.uint8))
    settings = PredictSettings(max_megapixels=1)
    made = predict(str(saved_model), f"{tmp_path}/a.png", f"{tmp_path}/out", settings)
    (failure,) = made.failures
    assert failure.startswith(f"{tmp_path}/a.png is 1000 x 1001, 1.0 megapixels, and the limit is")


def test_the_colours_are_those_of_the_data_set(saved_model, tmp_path):
    save(tmp_path / "a.png", random_images(32, 40))
    settings = PredictSettings(opacity=1.0)
    with pytest.raises(ValueError, match=r"has 5 classes \(a, .*but the data set camvid has 11"):
        predict(str(saved_model), f"{tmp_path}/a.png", f"{tmp_path}/out", dataset="camvid")
    colors = [f"{red:02x}{green:02x}{blue:02x}" for red, green, blue in CamVid.palette[:5]]
    predict(
        str(saved_model),
        f"{tmp_path}/a.png",
        f"{tmp_path}/out",
        settings,
        class_colors=colors,
    )
    class_ids = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    overlay = np.asarray(Image.open(tmp_path / "out" / "a_overlay.png"))
    np.testing.assert_array_equal(overlay, CamVid.palette[class_ids])
