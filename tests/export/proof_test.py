"""When a proof is good enough, and what it says."""

import dataclasses
import math

import pytest

from keras_fasterseg.export.proof import (
    MAXIMUM_LOGITS_DIFFERENCE,
    Proof,
    check_proof,
    read_proof,
)


def make(equal=1.0, miou_keras=None, miou=None, difference=1e-5, **fields):
    proof = (8, "camvid val", "onnxruntime", equal, difference, 9.0, miou_keras, miou)
    return Proof(*proof, **fields)


@pytest.mark.parametrize(
    ("precision", "least"), [("fp32", 0.9999), ("fp16", 0.995)], ids=["fp32", "fp16"]
)
def test_too_few_equal_labels(precision, least):
    check_proof(make(least), precision)
    with pytest.raises(ValueError, match=r"camvid val.*at least 99\.\d+ % must be for fp"):
        check_proof(make(math.nextafter(least, 0)), precision, allow_accuracy_drop=True)


@pytest.mark.parametrize(("precision", "most"), [("fp32", 8.7e-4), ("fp16", 7.8e-3)])
def test_logits_that_differ_too_much_for_their_size(precision, most):
    assert MAXIMUM_LOGITS_DIFFERENCE[precision] == pytest.approx(most, rel=0.01)
    largest = 9.0 * MAXIMUM_LOGITS_DIFFERENCE[precision]
    check_proof(make(difference=largest), precision)
    check_proof(make(difference=None), precision)
    for difference in (math.nextafter(largest, 1), math.nan, math.inf):
        message = rf"a logit differs by {difference:.2g}; {precision} allows at most"
        with pytest.raises(ValueError, match=message):
            check_proof(make(difference=difference), precision, allow_accuracy_drop=True)
    check_proof(make(1.0, 0.5, 0.5, difference=1.0), "int8")


def test_int8_is_judged_by_miou():
    check_proof(make(0.9, 0.5, 0.4901), "int8")
    check_proof(make(0.9, 0.5, 0.6), "int8")
    with pytest.raises(ValueError, match=r"lowers the mIoU from 50\.00 to 48\.90 % on 8 images"):
        check_proof(make(0.9, 0.5, 0.489), "int8")
    with pytest.raises(ValueError, match="the images have no labels"):
        check_proof(make(1.0), "int8")
    check_proof(make(0.9, 0.5, 0.1), "int8", allow_accuracy_drop=True)
    check_proof(make(0.9), "int8", allow_accuracy_drop=True)


def test_a_sentence_for_people():
    text = make(0.99995, 0.5, 0.4901).sentence()
    assert text == (
        "Proof on 8 images (camvid val) by onnxruntime: 99.9950 % of the labels match the Keras "
        "model, logits differ by at most 1.0e-05 (largest logit: 9.0), mIoU 49.01 %, Keras model "
        "50.00 %."
    )
    fields = {"worst_image": "a.png", "worst_equal_labels": 0.99, "worst_miou_difference": -0.025}
    assert make(0.99995, 0.5, 0.4901, **fields, miou_native=0.6).sentence() == (
        "Proof on 8 images (camvid val) by onnxruntime: 99.9950 % of the labels match the Keras "
        "model (worst image, a.png: 99.0000 %), logits differ by at most 1.0e-05 (largest logit: "
        "9.0), mIoU 49.01 %, Keras model 50.00 % (worst image: -2.50 points), Keras model at the "
        "original image size 60.00 %."
    )
    assert make(batch_sizes=(1,)).sentence() == make().sentence()
    fields = {"batch_sizes": (1, 2), "mirrored_image": "a.png"}
    assert make(difference=None, **fields).sentence() == (
        "Proof on 8 images (camvid val, 1 or 2 per call (a.png with its mirror image)) by "
        "onnxruntime: 100.0000 % of the labels match the Keras model, logits were not compared."
    )


def test_a_line_for_users_of_the_export():
    assert make(0.99995, 0.5, 0.4901).line() == (
        "Proven at export: 99.995 % equal labels, mIoU -0.99 points on 8 images of camvid val"
    )
    assert make().line() == ("Proven at export: 100.000 % equal labels on 8 images of camvid val")


def test_a_proof_is_read_from_a_manifest():
    proof = make(0.99995, 0.5, 0.4901, batch_sizes=(1, 2))
    assert proof.to_json()["batch_sizes"] == [1, 2]
    assert read_proof({"format": "onnx", "proof": proof.to_json()}) == proof
    assert read_proof({"proof": {**proof.to_json(), "of_later_versions": 1}}) == proof
    assert read_proof({"format": "onnx"}) is None
    # One that was written before there was a worst image.
    earlier = {key: value for key, value in proof.to_json().items() if "worst" not in key}
    assert read_proof({"proof": earlier}) == proof
    # JSON of other programs writes 1.0 as 1.
    whole = dataclasses.replace(proof, equal_labels=1)
    assert read_proof({"proof": {**proof.to_json(), "equal_labels": 1}}) == whole


@pytest.mark.parametrize(
    "field",
    [
        *({"equal_labels": [1]}, {"equal_labels": "all"}, {"equal_labels": None}),
        *({"equal_labels": math.nan}, {"equal_labels": 10**400}, {"miou": True}),
        *({"miou": -math.inf}, {"miou": {}}, {"images": 8.0}, {"images": "8"}, {"images": False}),
        *({"of": None}, {"by": 1}, {"worst_image": ["a.png"]}, {"logits_size": None}),
        *({"batch_sizes": 2}, {"batch_sizes": "12"}, {"batch_sizes": [1, 2.5]}),
    ],
)
def test_a_proof_whose_fields_are_of_other_types_is_not_read(field):
    assert read_proof({"proof": {**make(miou=0.5, miou_keras=0.5).to_json(), **field}}) is None


@pytest.mark.parametrize("value", [None, "yes", {}, {"images": 8}, {"equal_labels": "all"}])
def test_an_export_without_a_proof_that_can_be_read(value):
    assert read_proof({"proof": value}) is None
