"""What two runners of hand-made logits have to say of each other."""

import math

import numpy as np
import pytest

from keras_fasterseg.export.proof import Proof, check_proof, prove, read_proof

SHAPE = (1, 32, 40)


class Fixed:
    """A runner that answers the same logits, whatever it is shown."""

    def __init__(self, logits, outputs=("class_ids", "logits")):
        self.given, self.outputs = logits, outputs

    def logits(self, images):
        return self.given

    def __call__(self, images):
        return self.given.argmax(axis=-1).astype(np.uint8)


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(*SHAPE, 3)).astype(np.float32)


def compare(received, expected, labels=None, **options):
    images = np.zeros((*SHAPE, 3), np.uint8)
    return prove(
        received,
        expected,
        [(images, labels)],
        of="here",
        by="a runner",
        num_classes=3,
        progress=False,
        **options,
    )


def test_labels_and_logits(logits):
    changed = logits.copy()
    changed[0, 0, :4] += [[5.0, 0.0, 0.0]]
    changed[0, 1, 0] += 0.25
    wrong = int((changed.argmax(axis=-1) != logits.argmax(axis=-1)).sum())
    assert wrong > 0
    proof = compare(Fixed(changed), Fixed(logits))
    assert proof.equal_labels == pytest.approx(1 - wrong / (32 * 40))
    assert proof.logits_difference == pytest.approx(5.0)
    assert proof.logits_size == pytest.approx(np.abs(logits).max())
    assert (proof.images, proof.of, proof.miou, proof.miou_difference) == (1, "here", None, None)


def test_miou_is_that_of_the_labels(logits):
    truth = logits.argmax(axis=-1)
    labels = truth.copy()
    labels[0, :5] = 255
    changed = logits.copy()
    # Half of what is labelled as class 1 becomes class 2.
    rows, columns = np.nonzero(labels[0] == 1)
    half = len(rows) // 2
    changed[0, rows[:half], columns[:half]] = [0.0, 0.0, 9.0]
    proof = compare(Fixed(changed), Fixed(logits), labels)
    count = [int((labels == each).sum()) for each in range(3)]
    ious = [1.0, (count[1] - half) / count[1], count[2] / (count[2] + half)]
    assert proof.miou_keras == 1.0
    assert proof.miou == pytest.approx(np.mean(ious))
    assert proof.to_json()["miou_difference"] == pytest.approx(np.mean(ious) - 1.0)


def test_an_export_without_logits_has_them_compared_of_its_twin(logits):
    ids_alone = Fixed(logits, ("class_ids",))
    assert compare(ids_alone, Fixed(logits)).logits_difference is None
    twin = Fixed(logits + 0.5, ("logits",))
    proof = compare(ids_alone, Fixed(logits), logits_runner=twin)
    assert proof.logits_difference == pytest.approx(0.5)
    # One that has nothing but logits is judged by their largest.
    assert compare(Fixed(logits, ("logits",)), Fixed(logits)).equal_labels == 1.0


def test_nothing_to_compare(logits):
    with pytest.raises(ValueError, match="`samples` is empty"):
        prove(
            Fixed(logits),
            Fixed(logits),
            [],
            of="here",
            by="a runner",
            num_classes=3,
            progress=False,
        )


def make(equal=1.0, miou_keras=None, miou=None):
    return Proof(8, "camvid val", "onnxruntime", equal, 1e-5, 9.0, miou_keras, miou)


@pytest.mark.parametrize(
    ("precision", "least"), [("fp32", 0.9999), ("fp16", 0.995)], ids=["fp32", "fp16"]
)
def test_too_few_equal_labels(precision, least):
    check_proof(make(least), precision)
    with pytest.raises(ValueError, match=r"camvid val.*at least 99\.\d+ % must be at fp"):
        check_proof(make(math.nextafter(least, 0)), precision, allow_accuracy_drop=True)


def test_int8_is_judged_by_miou():
    check_proof(make(0.9, 0.5, 0.4901), "int8")
    check_proof(make(0.9, 0.5, 0.6), "int8")
    with pytest.raises(ValueError, match=r"falls from 50\.00 to 48\.90 % on 8 images"):
        check_proof(make(0.9, 0.5, 0.489), "int8")
    with pytest.raises(ValueError, match="there are no labels here"):
        check_proof(make(1.0), "int8")
    check_proof(make(0.9, 0.5, 0.1), "int8", allow_accuracy_drop=True)
    check_proof(make(0.9), "int8", allow_accuracy_drop=True)


def test_a_sentence_for_people():
    text = make(0.99995, 0.5, 0.4901).sentence()
    assert text == (
        "Proof on 8 images (camvid val) by onnxruntime: 99.9950 % of the labels are those of the "
        "Keras model, logits differ by 1.0e-05 at most (largest: 9.0), mIoU 49.01 % "
        "against 50.00 %."
    )


def test_a_line_for_users_of_the_export():
    assert make(0.99995, 0.5, 0.4901).line() == (
        "Proven at export: 99.995 % equal labels, mIoU -0.99 points on 8 images of camvid val"
    )
    assert make().line() == ("Proven at export: 100.000 % equal labels on 8 images of camvid val")


def test_a_proof_is_read_from_a_manifest():
    proof = make(0.99995, 0.5, 0.4901)
    assert read_proof({"format": "onnx", "proof": proof.to_json()}) == proof
    assert read_proof({"proof": {**proof.to_json(), "of_later_versions": 1}}) == proof
    assert read_proof({"format": "onnx"}) is None


@pytest.mark.parametrize("value", [None, "yes", {}, {"images": 8}, {"equal_labels": "all"}])
def test_an_export_without_a_proof_that_can_be_read(value):
    assert read_proof({"proof": value}) is None
