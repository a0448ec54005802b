import math

import numpy as np
import pytest

from keras_fasterseg.reports.suggested_settings import suggest_settings

PIXELS = np.array([900, 100, 0])


@pytest.mark.parametrize(
    ("sizes", "student", "search", "downsample", "latency"),
    [
        # The paper's own: all of the crops of its training and its search.
        ({(1024, 2048): 5}, (512, 1024), (224, 448), 2, (1024, 2048)),
        # 172,800 pixels are below the 524,288 of a training crop; 180x240 are halved ones.
        ({(360, 480): 5}, (352, 480), (160, 224), 2, (352, 480)),
        # 720x960 by sqrt(524288 / 691200) = 0.871: 627x836; 360x480 by 0.762: 274x366.
        ({(720, 960): 5}, (608, 832), (256, 352), 2, (704, 960)),
        # Halved, it would be less than the least crop.
        ({(100, 150): 5}, (96, 128), (96, 128), 1, (96, 160)),
        ({(33, 40): 5}, (64, 64), (64, 64), 1, (64, 64)),
        # The median size of five.
        ({(64, 64): 2, (200, 300): 1, (900, 999): 2}, (192, 288), (96, 128), 2, (192, 288)),
    ],
)
def test_sizes(sizes, student, search, downsample, latency):
    found = suggest_settings(sizes, PIXELS)
    assert found.student_crop_size == student
    assert found.search_crop_size == search
    assert found.search_downsample == downsample
    assert found.latency_size == latency


def test_class_weights_are_those_of_a_run():
    found = suggest_settings({(64, 64): 1}, PIXELS)
    expected = [1 / math.log(1.02 + share) for share in (0.9, 0.1, 0.0)]
    assert found.class_weights == pytest.approx(expected)
    assert suggest_settings({(64, 64): 1}, np.zeros(3)).class_weights is None


def test_flags_and_json():
    found = suggest_settings({(360, 480): 1}, PIXELS)
    assert found.flags() == (
        "--latency_size=352x480",
        "--pretrain_downsample=2",
        "--pretrain_crop_size=160x224",
        "--search_downsample=2",
        "--search_crop_size=160x224",
        "--teacher_crop_size=352x480",
        "--student_crop_size=352x480",
    )
    assert found.to_json()["search_crop_size"] == (160, 224)
