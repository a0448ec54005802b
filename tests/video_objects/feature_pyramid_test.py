"""The feature pyramid: its levels, its attention, and its sums."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.video_objects.feature_pyramid import feature_pyramid

SIZE = (64, 96)
FILTERS = 6


def pyramid_model(strides=(4, 8, 16), attention: bool = True) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = {
        stride: keras.Input((SIZE[0] // stride, SIZE[1] // stride, 3 + stride))
        for stride in strides
    }
    features, mask = feature_pyramid(inputs, FILTERS, attention)
    return keras.Model(list(inputs.values()), {"features": features, "mask": mask})


def random_levels(model: keras.Model) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(2, *each.shape[1:])).astype("float32") for each in model.inputs]


def outputs_of(model: keras.Model, levels: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {name: ops.convert_to_numpy(each) for name, each in model(levels).items()}


def names(model: keras.Model) -> set[str]:
    return {layer.name for layer in model.layers}


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("strides", [(4, 8, 16), (4,)])
def test_shapes(strides, attention):
    model = pyramid_model(strides, attention)
    outputs = outputs_of(model, random_levels(model))
    assert outputs["features"].shape == (2, 16, 24, FILTERS)
    assert outputs["mask"].shape == (2, 8, 12, 1)
    assert np.isfinite(outputs["features"]).all()


@pytest.mark.parametrize("strides", [(8,), (8, 16), (16,)])
def test_a_level_at_one_quarter_is_needed(strides):
    with pytest.raises(ValueError, match=f"strides {', '.join(map(str, strides))}"):
        pyramid_model(strides)


def test_no_levels_at_all():
    with pytest.raises(ValueError, match="needs features at 1/4"):
        feature_pyramid({}, FILTERS, True)


def test_missing_levels_are_made_of_the_finer_one():
    kernels = {}
    for strides in ((4, 8), (4,)):
        model = pyramid_model(strides, attention=False)
        layers = [model.get_layer(f"lateral_{stride}") for stride in (4, 8, 16)]
        kernels[strides] = [tuple(each.convolution.kernel.shape) for each in layers]
    assert kernels[4, 8] == [(1, 1, 7, 6), (1, 1, 11, 6), (3, 3, 6, 6)]
    assert kernels[4,] == [(1, 1, 7, 6), (3, 3, 6, 6), (3, 3, 6, 6)]


def test_attention_is_optional():
    with_attention, without = (names(pyramid_model(attention=each)) for each in (True, False))
    added = {f"attention_{stride}" for stride in (4, 8, 16)}
    assert added <= with_attention
    assert not any(name.startswith("attention") for name in without)
    # Both predict the coarse mask.
    assert {"foreground", "mask_features"} <= with_attention & without


def test_attention_that_sees_nothing_equals_no_attention():
    """With the same weights otherwise, both pyramids are the same sums."""
    model, plain = pyramid_model(), pyramid_model(attention=False)
    for layer in plain.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights() if layer.weights else [])
    levels = random_levels(model)
    before = outputs_of(model, levels)["features"]
    for stride in (4, 8, 16):
        layer = model.get_layer(f"attention_{stride}")
        kernel, bias = layer.get_weights()
        layer.set_weights([np.zeros_like(kernel), np.full_like(bias, -200)])
    after, expected = outputs_of(model, levels), outputs_of(plain, levels)
    assert np.abs(before - after["features"]).max() > 1e-3
    for name, value in expected.items():
        np.testing.assert_allclose(after[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_every_level_reaches_the_features(stride):
    model = pyramid_model()
    levels = random_levels(model)
    before = outputs_of(model, levels)
    place = (4, 8, 16).index(stride)
    levels[place] = levels[place] + 3
    after = outputs_of(model, levels)
    assert np.abs(before["features"] - after["features"]).max() > 1e-3
    # The coarse mask is predicted from the two coarser levels.
    assert (np.abs(before["mask"] - after["mask"]).max() > 1e-4) == (stride != 4)
