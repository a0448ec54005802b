import types

import numpy as np
import pytest
from absl import logging
from PIL import Image

from keras_fasterseg.data.class_order import in_class_order
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.evaluation.evaluator import evaluate
from keras_fasterseg.evaluation.submission import MARKER
from keras_fasterseg.export.proof import Proof
from keras_fasterseg.jobs import evaluate as pipeline
from keras_fasterseg.jobs.export import export
from keras_fasterseg.run.datasets import evaluation_images
from keras_fasterseg.run.inputs import InputFiles
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.jobs.train_test import GENOTYPE
from tests.oracle_runner import OracleRunner

PROOF = Proof(4, "camvid val", "onnxruntime", 0.99999, None, 12.5, 0.51, 0.512)


@pytest.fixture
def streets(tmp_path):
    return generate(
        tmp_path / "streets", num_train=1, num_val=3, height=64, width=128, seed=2, progress=False
    )


@pytest.fixture
def runner(streets, monkeypatch):
    """The runner that every artefact is opened as."""
    runner = OracleRunner(streets, "val")
    runner._metadata = {"proof": PROOF.to_json()}
    monkeypatch.setattr(pipeline, "open_artefact", lambda artefact: runner)
    return runner


@pytest.mark.parametrize("official", [True, False])
def test_label_maps_keep_to_the_limit_of_the_data_set(
    streets, runner, artefact, tmp_path, official
):
    streets.max_megapixels = 0
    with pytest.raises(DataError, match=r"64 x 128, 0\.0 megapixels, and the limit is 0; .* raise"):
        pipeline.report(
            artefact,
            streets,
            "val",
            official=official,
            submission=tmp_path / "maps",
            progress=False,
        )


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "network.keras"
    path.write_bytes(b"weights")
    return path


def test_the_official_scores_are_those_of_the_evaluator(streets, runner, artefact):
    report = pipeline.report(artefact, streets, "val", official=True, progress=False)
    own = evaluate(
        runner, evaluation_images(streets, "val"), 19, streets.class_names, progress=False
    )
    assert report.result.to_json() == own.to_json()
    assert report.official.class_average.iou == pytest.approx(own.miou, rel=1e-12)
    assert report.num_images == 3
    assert "category" in report.text()
    assert f"mIoU {100 * own.miou:.2f} %, 3 images of val" in report.text()
    value = report.to_json()
    assert value["official"]["classes"]["road"]["iou"] == pytest.approx(own.per_class["road"])
    assert value["miou"] == own.miou
    assert "submission" not in value


def test_plain_scores_come_with_the_proof_of_the_export(streets, runner, artefact):
    report = pipeline.report(artefact, streets, "val", progress=False)
    assert report.result == pipeline.evaluate(artefact, streets, "val", progress=False)
    assert report.to_json()["proof"] == PROOF.to_json()
    assert report.text().splitlines()[-1] == (
        "Proven at export: 99.999 % equal labels, mIoU +0.20 points on 4 images of camvid val"
    )


def test_a_network_without_proof_says_nothing_of_it(streets, runner, artefact):
    runner._metadata = {}
    report = pipeline.report(artefact, streets, "val", progress=False)
    assert "proof" not in report.to_json()
    assert "Proven" not in report.text()


def test_label_maps_are_kept_where_they_are_asked_for(streets, runner, artefact, tmp_path):
    folder = tmp_path / "maps"
    report = pipeline.report(
        artefact, streets, "val", official=True, submission=folder, progress=False
    )
    assert len(list(folder.glob("*_labelIds.png"))) == 3
    assert f"3 label maps of val are in {folder}" in report.text()
    assert report.to_json()["submission"] == str(folder)
    again = pipeline.report(artefact, streets, "val", submission=folder, progress=False)
    assert runner.calls == 3
    # Without --official nothing is scored.
    assert again.result is None
    assert again.to_json()["num_images"] == 3
    artefact.write_bytes(b"other weights")
    with pytest.raises(FileExistsError, match="artefact_sha256 was"):
        pipeline.report(artefact, streets, "val", submission=folder, progress=False)
    assert (folder / MARKER).is_file()


def test_a_split_without_labels_is_submitted_and_not_scored(streets, runner, artefact, tmp_path):
    for label in (streets.root / "gtFine" / "val").rglob("*.png"):
        label.unlink()
    report = pipeline.report(artefact, streets, "val", submission=tmp_path / "maps", progress=False)
    assert report.num_images == 3
    with pytest.raises(DataError, match="has no label"):
        pipeline.report(artefact, streets, "val", official=True, progress=False)


def test_label_ids_are_asked_for_before_anything_is_computed(streets, runner, artefact):
    for label in (streets.root / "gtFine" / "val").rglob("*_labelIds.png"):
        label.unlink()
    with pytest.raises(DataError, match=r"missing for 3 of 3 images.*gtFine_trainvaltest.zip"):
        pipeline.report(artefact, streets, "val", official=True, progress=False)
    assert runner.calls == 0


def test_a_label_of_another_size_is_named(streets, runner, artefact):
    label = sorted((streets.root / "gtFine" / "val").rglob("*_labelIds.png"))[1]
    Image.fromarray(np.full((32, 128), 7, np.uint8)).save(label)
    with pytest.raises(ValueError, match=f"Image heights of .*{label.name} are not equal"):
        pipeline.report(artefact, streets, "val", official=True, progress=False)


def test_a_split_whose_labels_the_server_keeps(streets, runner, artefact):
    for ending in ("labelIds", "labelTrainIds", "instanceIds"):
        for label in (streets.root / "gtFine" / "val").rglob(f"*_{ending}.png"):
            value = {"labelIds": 3, "labelTrainIds": 255, "instanceIds": 3}[ending]
            Image.fromarray(np.full((64, 128), value, np.uint8)).save(label)
    for official in (False, True):
        report = pipeline.report(artefact, streets, "val", official=official, progress=False)
        expected = "No mIoU, because no pixel is labelled with a class, 3 images of val"
        assert expected in report.text().splitlines()
        assert report.to_json()["miou"] is None


def test_images_of_the_training_split_are_warned_of(streets, runner, artefact, monkeypatch):
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    runner._metadata = {"class_names": list(streets.class_names)}
    pipeline.report(artefact, streets, "val", progress=False)
    assert said == []
    (trained, *_), (scored, *_) = (streets.samples(split) for split in ("train", "val"))
    trained.image.write_bytes(scored.image.read_bytes())
    pipeline.report(artefact, streets, "val", progress=False)
    pipeline.report(artefact, streets, "train+val", progress=False)
    assert said == [
        "1 image in more than one split (identical bytes), so scores include training images: "
        f"{trained.image} = {scored.image}."
    ]


def test_a_data_set_whose_classes_were_put_in_another_order_is_refused(tmp_path, streets):
    """The whole way, with a network of random weights in a file and in an export."""
    network = FasterSegNetwork(GENOTYPE, 19, classes=streets.classes)
    network.save(tmp_path / "network.keras")
    export(tmp_path / "network.keras", tmp_path / "1", ExportSettings(proof_images=0), streets)
    names = streets.class_names
    turned = in_class_order(streets, ",".join((*names[1:], names[0])))
    scores = []
    for artefact in (tmp_path / "network.keras", tmp_path / "1"):
        for evaluation in (pipeline.evaluate, pipeline.report):
            with pytest.raises(ValueError, match=r"\(road, .*another order.*--class_order='road,"):
                evaluation(artefact, turned, "val", progress=False)
        restored = in_class_order(turned, ",".join(names))
        scores += [
            pipeline.evaluate(artefact, source, "val", progress=False).per_class
            for source in (streets, restored)
        ]
    assert scores[0] == scores[1] == scores[2] == scores[3]
    with pytest.raises(ValueError, match="another order"):
        export(tmp_path / "network.keras", tmp_path / "2", ExportSettings(), turned)
    assert not (tmp_path / "2").exists()
    metadata = pipeline.open_runner(tmp_path / "1").metadata
    assert metadata["class_names"] == list(names)
    assert metadata["colors"] == streets.palette.tolist()
    assert metadata["ignored_labels"] == list(streets.classes.ignored)


@pytest.mark.parametrize(("split", "is_warned"), [("train", True), ("val", False)])
def test_scores_on_training_images_are_warned_of(
    streets, runner, artefact, caplog, monkeypatch, split, is_warned
):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    digest = InputFiles().split(streets, "train", progress=False).sha256
    runner._metadata = {"trained_on": {"data_set": "streets", "splits": {"train": digest}}}
    result = types.SimpleNamespace(num_images=1, runner={})
    monkeypatch.setattr(pipeline, "_score", lambda *_: result)
    pipeline.report(artefact, streets, split, progress=False)
    warned = "The network was trained on the images of the split train" in caplog.text
    assert warned == is_warned
