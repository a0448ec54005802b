import json

import numpy as np
import pytest

from keras_fasterseg.serving.image_json import image_json
from tests.stand_in import random_images


def test_by_hand():
    images = np.array([[[1, 20, 255]], [[0, 9, 10]]], np.uint8)
    assert image_json(images) == b"[[[  1, 20,255]],[[  0,  9, 10]]]"


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 7), (3, 32, 33)])
def test_is_what_python_reads_back(shape):
    images = random_images(*shape)
    assert json.loads(image_json(images)) == images.tolist()


def test_every_value():
    images = np.arange(256, dtype=np.uint8).reshape(2, 128)
    assert json.loads(image_json(images)) == images.tolist()
