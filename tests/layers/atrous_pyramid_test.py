import numpy as np
import pytest
from keras import ops

from keras_fasterseg.layers.atrous_pyramid import AtrousPyramid


def test_dilations_reach_as_far_as_they_say():
    """A single pixel spreads to itself and to eight others for every rate."""
    layer = AtrousPyramid(2, rates=(2, 3))
    images = np.zeros((1, 15, 15, 1), "float32")
    layer(images)
    for variable in layer.trainable_variables:
        variable.assign(np.ones(variable.shape) * (0 if variable.path.endswith("beta") else 1))
    images[0, 7, 7] = 1
    found = ops.convert_to_numpy(layer(images))[0, ..., 0]
    reached = {(int(y) - 7, int(x) - 7) for y, x in np.argwhere(found > 0)}
    assert reached == {(r * y, r * x) for r in (2, 3) for y in (-1, 0, 1) for x in (-1, 0, 1)}


@pytest.mark.parametrize("rates", [(6, 12, 18), (2,)])
def test_it_survives_its_config(rates):
    layer = AtrousPyramid(3, rates, name="pyramid")
    copy = AtrousPyramid.from_config(layer.get_config())
    images = np.random.default_rng(0).normal(size=(1, 5, 6, 4)).astype("float32")
    assert tuple(layer(images).shape) == (1, 5, 6, 3) == tuple(copy(images).shape)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(*(ops.convert_to_numpy(each(images)) for each in (layer, copy)))
