import json
import math
import os
import pathlib
import re
import subprocess
import sys

import cityscapesscripts
import numpy as np
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling
from cityscapesscripts.helpers.labels import trainId2label
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.evaluation.cityscapes_scores import cityscapes_scores, label_ids_file
from tests.oracle_runner import OracleRunner

SCRIPT = "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling"
ROAD, CAR, RIDER, STATIC = 7, 26, 25, 4


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    return generate(root, num_train=1, num_val=8, height=96, width=192, seed=4, progress=False)


@pytest.fixture(scope="module")
def predictions(streets, tmp_path_factory):
    """Label maps of an oracle, written here and not by the code that is used with the scores."""
    folder = tmp_path_factory.mktemp("predictions")
    runner = OracleRunner(streets, "val", wrong=0.4)
    paths = []
    for sample in streets.samples("val"):
        class_ids = runner(read_image(sample.image)[None])[0]
        label_ids = [trainId2label[class_id].id for class_id in class_ids.ravel()]
        stem = sample.image.name.removesuffix("_leftImg8bit.png")
        paths.append(folder / f"{stem}_anything.png")
        pixels = np.array(label_ids, np.uint8).reshape(class_ids.shape)
        Image.fromarray(pixels).save(paths[-1])
    return paths


def ground_truth(streets):
    return [label_ids_file(sample.label) for sample in streets.samples("val")]


def installed_files():
    root = pathlib.Path(cityscapesscripts.__file__).parent.parent
    return set(root.iterdir())


def test_all_numbers_are_those_of_the_script_run_by_itself(streets, predictions, tmp_path, capfd):
    before = installed_files()
    scores = cityscapes_scores(predictions, ground_truth(streets))
    assert capfd.readouterr() == ("", "")
    assert installed_files() == before
    environment = {
        **os.environ,
        "CITYSCAPES_DATASET": str(streets.root),
        "CITYSCAPES_RESULTS": str(predictions[0].parent),
        "CITYSCAPES_EXPORT_DIR": str(tmp_path),
    }
    finished = subprocess.run(
        [sys.executable, "-m", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    rows = re.findall(r"^([a-z A-Z]+?) *: +(\S+) +(\S+)$", finished.stdout, re.MULTILINE)
    ours = [
        *scores.classes.items(),
        ("Score Average", scores.class_average),
        *scores.categories.items(),
        ("Score Average", scores.category_average),
    ]
    assert rows == [(name, f"{score.iou:.3f}", f"{score.iiou:.3f}") for name, score in ours]
    # What it writes has all digits; the order of the images is not ours, and so are the last bits.
    # With NaN, which no file of this package has.
    written = json.loads((tmp_path / "resultPixelLevelSemanticLabeling.json").read_text())
    assert scores.confusion.tolist() == written["confMatrix"]
    for kind, found in (("class", scores.classes), ("category", scores.categories)):
        for name, score in found.items():
            for value, part in ((score.iou, "Scores"), (score.iiou, "InstScores")):
                assert value == pytest.approx(written[kind + part][name], rel=1e-12, nan_ok=True)
    # A test of zeros would prove little.
    assert len(rows) == 19 + 1 + 7 + 1
    assert sum(not math.isnan(score.iiou) and score.iiou > 0 for _, score in ours) >= 8


def test_the_table_has_what_the_script_has_written(streets, predictions):
    scores = cityscapes_scores(predictions, ground_truth(streets))
    lines = [line.split("  ") for line in scores.table().splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]

    def percent(value, otherwise):
        return otherwise if math.isnan(value) else f"{100 * value:.4f}"

    for name, score in [*scores.classes.items(), *scores.categories.items()]:
        assert [name, percent(score.iou, "absent"), percent(score.iiou, "-")] in cells
    assert ["class", "IoU %", "iIoU %"] in cells
    assert ["category", "IoU %", "iIoU %"] in cells
    average = scores.class_average
    assert ["classes", f"{100 * average.iou:.4f}", f"{100 * average.iiou:.4f}"] in cells
    assert scores.to_json()["average"]["classes"] == {"iou": average.iou, "iiou": average.iiou}
    assert scores.to_json()["classes"]["road"]["iiou"] is None


def write_pair(folder, truth, predicted, instances=None):
    folder.mkdir(exist_ok=True)
    label = folder / "ulm_000000_000019_gtFine_labelIds.png"
    prediction = folder / "ulm_000000_000019_prediction.png"
    Image.fromarray(np.asarray(truth, np.uint8)).save(label)
    Image.fromarray(np.asarray(predicted, np.uint8)).save(prediction)
    if instances is not None:
        path = folder / "ulm_000000_000019_gtFine_instanceIds.png"
        Image.fromarray(np.asarray(instances, np.uint16)).save(path)
    return [prediction], [label]


def small_street():
    """8 x 8: a small and a large car on a road with something void below them."""
    truth = np.full((8, 8), ROAD)
    truth[0, :4] = truth[2:5, :4] = CAR
    truth[7] = STATIC
    instances = truth.copy()
    instances[0, :4], instances[2:5, :4] = 26000, 26001
    # Of the small car a pixel is found, of the large one all but one, which becomes a rider.
    predicted = np.where(truth == STATIC, CAR, truth)
    predicted[0, 1:4] = ROAD
    predicted[2, 0] = RIDER
    predicted[1, :2] = CAR
    return truth, predicted, instances


def test_hand_computed(tmp_path):
    scores = cityscapes_scores(*write_pair(tmp_path, *small_street()))
    # 12 of 16 pixels of cars are found, 2 of the road are taken for it; those in void are free.
    assert scores.classes["car"].iou == pytest.approx(12 / 18)
    average = 12794.0202738185
    small, large = average / 4, average / 12
    found = 1 * small + 11 * large
    assert scores.classes["car"].iiou == pytest.approx(found / (4 * small + 12 * large + 2))
    assert scores.categories["vehicle"].iou == pytest.approx(12 / 18)
    # 38 of 40 pixels of road are found, and 3 of a car are taken for it.
    assert scores.classes["road"].iou == pytest.approx(38 / (40 + 3))
    assert scores.classes["rider"].iou == 0
    assert math.isnan(scores.classes["road"].iiou)
    assert math.isnan(scores.classes["bus"].iou)
    assert scores.class_average.iou == pytest.approx((12 / 18 + 38 / 43 + 0) / 3)
    assert scores.num_images == 1
    assert scores.note == ""


def test_without_instance_ids_there_is_no_iiou(tmp_path):
    truth, predicted, _ = small_street()
    scores = cityscapes_scores(*write_pair(tmp_path, truth, predicted))
    assert scores.classes["car"].iou == pytest.approx(12 / 18)
    assert math.isnan(scores.classes["car"].iiou)
    assert math.isnan(scores.class_average.iiou)
    assert scores.table().endswith(
        "No iIoU: instance ids are missing for 1 of 1 image, such as "
        "ulm_000000_000019_gtFine_instanceIds.png."
    )
    assert "iIoU %" not in scores.table()


def test_the_arguments_of_the_script_stay_as_they_are(tmp_path):
    before = dict(vars(evalPixelLevelSemanticLabeling.args))
    cityscapes_scores(*write_pair(tmp_path, *small_street()))
    assert vars(evalPixelLevelSemanticLabeling.args) == before


def test_label_ids_that_are_missing_are_named(tmp_path):
    predictions, labels = write_pair(tmp_path, *small_street())
    labels[0].unlink()
    with pytest.raises(DataError, match=r"are missing for 1 of 1 image, such as .*labelIds"):
        cityscapes_scores(predictions, labels)


def test_a_refusal_of_the_script_is_a_sentence(tmp_path, capfd):
    truth, predicted, instances = small_street()
    pair = write_pair(tmp_path, truth, predicted[:, :6], instances)
    with pytest.raises(ValueError, match=r"cannot compare the files: Image widths of .* not equal"):
        cityscapes_scores(*pair)
    assert capfd.readouterr() == ("", "")


def test_label_ids_lie_beside_train_ids():
    train_ids = pathlib.Path("gtFine/val/ulm/ulm_000000_000019_gtFine_labelTrainIds.png")
    expected = pathlib.Path("gtFine/val/ulm/ulm_000000_000019_gtFine_labelIds.png")
    assert label_ids_file(train_ids) == expected
    assert label_ids_file(expected) == expected
