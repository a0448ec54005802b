import numpy as np
import pytest

from keras_fasterseg.image_normalization import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    check_normalization,
    normalize_images,
)
from tests.shared import load_fixture


def test_bytes_and_floats_are_normalised_as_in_the_released_code():
    fixture = load_fixture("input_256x512")
    images = fixture["img_uint8_nhwc"]
    constants = check_normalization(IMAGENET_MEAN, IMAGENET_STD)
    for received in (images, images.astype(np.float32), images.astype(np.int64)):
        normalized = np.asarray(normalize_images(received, *constants))
        assert normalized.dtype == np.float32
        np.testing.assert_allclose(normalized, fixture["x_nhwc"], atol=1e-6)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((0.5, 0.5), (0.2, 0.2, 0.2), "`mean` must be three numbers"),
        ((123.7, 116.3, 103.5), (0.2, 0.2, 0.2), "divide values for bytes by 255"),
        ((0.5, 0.5, 0.5), (0.2, 0.2, float("nan")), "`std` must be three numbers"),
        ((0.5, 0.5, 0.5), (0.2, 0.2, 0.0), "Every `std` must be above 0"),
    ],
)
def test_constants_that_fit_no_image_are_refused(mean, std, message):
    with pytest.raises(ValueError, match=message):
        check_normalization(mean, std)
