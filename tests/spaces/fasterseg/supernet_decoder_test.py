import numpy as np
import pytest
from keras import ops

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions, SupernetDecoder
from tests.spaces.fasterseg.one_hot_choices import randomize_weights


@pytest.fixture(scope="module")
def decoder():
    decoder = SupernetDecoder(3, base_filters=6, width=8 / 12)
    decoder([np.zeros(feature.shape, "float32") for feature in features()])
    randomize_weights(decoder.weights)
    return decoder


def features():
    generator = np.random.default_rng(0)
    # 8, 16, 32 times 6 * 8/12.
    shapes = [(2, 8, 12, 32), (2, 4, 6, 64), (2, 2, 3, 128)]
    return [generator.normal(size=shape).astype("float32") for shape in shapes]


def join(fusion, coarse, fine):
    coarse = resize_bilinear(fusion.reduction(coarse), fine.shape[1:3])
    return fusion.refinement(ops.concatenate([coarse, fine], axis=-1))


def test_predictions_are_those_of_its_parts(decoder):
    eight, sixteen, thirty_two = features()
    from_16 = join(decoder.fusion_16, sixteen, eight)
    from_32 = join(decoder.fusion_32_8, join(decoder.fusion_32_16, thirty_two, sixteen), eight)
    inputs = Predictions(
        eight,
        from_16,
        from_32,
        ops.concatenate([eight, from_32], axis=-1),
        ops.concatenate([from_16, from_32], axis=-1),
    )
    predictions = decoder([eight, sixteen, thirty_two])
    assert isinstance(predictions, Predictions)
    for head, feature, logits in zip(decoder.heads, inputs, predictions, strict=True):
        assert logits.shape == (2, 8, 12, 3)
        np.testing.assert_allclose(logits, head(feature), atol=1e-5)


def test_filters(decoder):
    assert decoder.filters == (32, 64, 128)
    kernels = {
        "fusion_16": (128 // 2, 32, 32 + 32),
        "fusion_32_16": (128, 64, 64 + 64),
        "fusion_32_8": (64, 32, 32 + 32),
    }
    for name, (coarse, filters, joined) in kernels.items():
        fusion = getattr(decoder, name)
        assert fusion.reduction.convolution.kernel.shape == (1, 1, coarse, filters)
        assert fusion.refinement.convolution.kernel.shape == (3, 3, joined, filters)
    channels = [head.convolution.convolution.kernel.shape[2] for head in decoder.heads]
    assert channels == [32, 32, 32, 64, 64]


def test_each_prediction_depends_on_its_own_scales_only(decoder):
    before = decoder(features())
    # Whose change changes which predictions: 1/16 is on the way of 1/32 too.
    changed = {
        0: {"scale_8", "scale_16", "scale_32", "scale_8_32", "scale_16_32"},
        1: {"scale_16", "scale_32", "scale_8_32", "scale_16_32"},
        2: {"scale_32", "scale_8_32", "scale_16_32"},
    }
    for index, names in changed.items():
        inputs = features()
        inputs[index] = inputs[index] + 1
        after = decoder(inputs)
        differing = {
            name
            for name in Predictions._fields
            if np.any(np.array(getattr(after, name)) != np.array(getattr(before, name)))
        }
        assert differing == names


def test_config_round_trip(decoder):
    config = decoder.get_config()
    copy = SupernetDecoder.from_config(config)
    assert copy.get_config() == config
    copy.build([feature.shape for feature in features()])
    copy.set_weights(decoder.get_weights())
    for old, new in zip(decoder(features()), copy(features()), strict=True):
        np.testing.assert_array_equal(new, old)
