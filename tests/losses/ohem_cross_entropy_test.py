"""OHEM cross-entropy against the released implementation and against NumPy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.losses import OhemCrossEntropy, ohem_cross_entropy
from tests.shared import assert_known, load_fixture

CASES = [
    "mk0_t0.7",
    "mk1_t0.7",
    "mk64_t0.7",
    "mk300_t0.7",
    "mk600_t0.7",
    "mk870_t0.7",
    "mk_eq_valid_t0.7",
    "mk_gt_valid_t0.7",
    "mk2000_t0.7",
    "mk100_t0.1",
    "mk100_t0.01",
    "mk100_t0.999",
    "few_valid",
]


def loss_and_gradient(labels, logits, compiled=None, **options):
    @tf.function(jit_compile=compiled == "step")
    def differentiate(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = ohem_cross_entropy(labels, logits, jit_compile=compiled == "loss", **options)
        return loss, tape.gradient(loss, logits)

    loss, gradient = differentiate(tf.constant(logits))
    return loss.numpy(), gradient.numpy()


def ohem_numpy(labels, logits, threshold, min_kept, class_weights=None):
    """The definition, pixel by pixel, in float64: the loss and the number of pixels kept."""
    logits = logits.astype("float64").reshape(-1, logits.shape[-1])
    labels = labels.reshape(-1)
    chosen = labels != 255
    logits, labels = logits[chosen], labels[chosen]
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = (exponentials / exponentials.sum(-1, keepdims=True))[
        np.arange(len(labels)), labels
    ]
    if 0 < min_kept <= len(labels):
        limit = max(threshold, np.sort(probabilities)[min_kept - 1])
        labels = labels[probabilities <= limit]
        probabilities = probabilities[probabilities <= limit]
    weights = np.ones(len(labels)) if class_weights is None else np.array(class_weights)[labels]
    return np.average(-np.log(probabilities), weights=weights), len(probabilities)


@pytest.mark.parametrize("compiled", [None, "loss", "step"])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_released_loss(case, compiled):
    fixture = load_fixture("ohem")
    loss, gradient = loss_and_gradient(
        fixture.get(f"{case}/target", fixture["target"]),
        fixture["logits_nhwc"],
        compiled,
        threshold=float(fixture[f"{case}/thresh"]),
        min_kept=int(fixture[f"{case}/min_kept"]),
    )
    expected = fixture[f"{case}/grad_nhwc"]
    assert loss == pytest.approx(fixture[f"{case}/loss"], abs=1e-5)
    # Softmax and sum are float32 on both sides, in another order: single elements differ by about
    # 1e-6 of the largest. One pixel kept too many would show as 1 / kept, at least 1e-3 of it.
    assert_known(gradient, expected, rtol=1e-4, atol=1e-5 * np.nanmax(np.abs(expected)))
    assert np.count_nonzero(gradient.any(axis=-1)) == fixture[f"{case}/num_kept"]


@pytest.mark.parametrize("compiled", [None, "loss", "step"])
@pytest.mark.parametrize("case", ["all_ignored", "all_ignored_mk0"])
def test_no_valid_pixel_costs_exactly_nothing(case, compiled):
    # The released code answers NaN.
    fixture = load_fixture("ohem")
    loss, gradient = loss_and_gradient(
        fixture[f"{case}/target"],
        fixture["logits_nhwc"],
        compiled,
        min_kept=int(fixture[f"{case}/min_kept"]),
    )
    assert loss == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("easy", [0.0, 6.0, 12.0])
@pytest.mark.parametrize("min_kept", [0, 1, 17, 40, 64, 1000])
def test_equals_the_definition(easy, min_kept):
    """Up to networks so sure of themselves that the k-th smallest probability nears 1."""
    generator = np.random.default_rng(min_kept)
    labels = generator.integers(0, 5, (1, 8, 8))
    logits = generator.normal(size=(1, 8, 8, 5)).astype("float32")
    logits += easy * np.eye(5, dtype="float32")[labels]
    labels[0, 0, :3] = 255
    expected, kept = ohem_numpy(labels, logits, 0.7, min_kept)
    loss, gradient = loss_and_gradient(labels, logits, min_kept=min_kept)
    # The smallest losses here are about 1e-5, a difference of float32 numbers of about 12.
    assert loss == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert np.count_nonzero(gradient.any(axis=-1)) == kept


@pytest.mark.parametrize(
    ("min_kept", "scale", "compiled"),
    [(0, 1.0, None), (17, 1.0, "step"), (40, 1e-30, "loss"), (40, 1e30, None), (1000, 1.0, None)],
)
def test_class_weights_make_the_mean_a_weighted_one(min_kept, scale, compiled):
    generator = np.random.default_rng(min_kept)
    labels = generator.integers(0, 5, (1, 8, 8))
    logits = (2 * generator.normal(size=(1, 8, 8, 5))).astype("float32")
    labels[0, 0, :3] = 255
    weights = (1.0, 0.25, 7.0, 0.0, 3.0)
    expected, _ = ohem_numpy(labels, logits, 0.7, min_kept, weights)
    scaled = [scale * weight for weight in weights]
    options = {"min_kept": min_kept, "class_weights": scaled}
    loss, gradient = loss_and_gradient(labels, logits, compiled, **options)
    assert loss == pytest.approx(expected, rel=1e-5)
    _, plain = loss_and_gradient(labels, logits, min_kept=min_kept)
    # A pixel's gradient is its plain one, times its class's weight, over another sum.
    ratio = np.array(weights)[np.where(labels == 255, 3, labels)][..., np.newaxis]
    plain_sum = np.count_nonzero(plain.any(-1))
    weighted_sum = (ratio[..., 0] * plain.any(-1)).sum()
    expected_gradient = plain * ratio * plain_sum / weighted_sum
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-7)


def test_many_pixels_are_added_up_without_loss():
    """One after the other, float32 sums of weights would be wrong by 1e-4 here."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, (4, 256, 512))
    logits = generator.normal(size=(*labels.shape, 3)).astype("float32")
    weights = (0.1, 0.7, 0.37)
    expected, _ = ohem_numpy(labels, logits, 0.7, 0, weights)
    loss, _ = loss_and_gradient(labels, logits, "loss", min_kept=0, class_weights=weights)
    assert loss == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("class_weights", [None, (0.5, 1.0, 0.0)])
@pytest.mark.parametrize("compiled", [None, "loss"])
@pytest.mark.parametrize("label", [3, -1])
def test_a_label_that_is_no_class_costs_infinitely_much(label, compiled, class_weights):
    labels = np.array([[[0, label], [255, 2]]])
    logits = np.zeros((1, 2, 2, 3), "float32")
    loss, gradient = loss_and_gradient(labels, logits, compiled, class_weights=class_weights)
    assert loss == math.inf
    np.testing.assert_array_equal(np.isnan(gradient).any(axis=-1), labels == label)


def test_equal_weights_are_none():
    fixture = load_fixture("ohem")
    labels, logits = fixture["target"], fixture["logits_nhwc"]
    loss, gradient = loss_and_gradient(labels, logits, min_kept=300, class_weights=19 * [0.3])
    assert loss == pytest.approx(fixture["mk300_t0.7/loss"], abs=1e-5)
    expected = fixture["mk300_t0.7/grad_nhwc"]
    assert_known(gradient, expected, rtol=1e-4, atol=1e-5 * np.nanmax(np.abs(expected)))


def test_pixels_without_weight_cost_exactly_nothing():
    labels = np.array([[[0, 0], [255, 0]]])
    logits = np.random.default_rng(0).normal(size=(1, 2, 2, 3)).astype("float32")
    loss, gradient = loss_and_gradient(labels, logits, class_weights=(0, 1, 1))
    assert loss == 0
    np.testing.assert_array_equal(gradient, 0)


def test_a_pixel_without_weight_is_not_even_looked_at():
    """An infinite entropy times a weight of 0 would be NaN."""
    logits = np.zeros((1, 1, 2, 2), "float32")
    logits[0, 0, 0] = -np.inf, 0
    loss, _ = loss_and_gradient(np.array([[[0, 1]]]), logits, class_weights=(0, 1))
    assert loss == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1.0, 2.0), r"one weight for each of the 3 classes. Received: 2 weights, \(1.0, 2.0\)"),
        ((1.0, -1.0, 1.0), "not negative"),
        ((1.0, math.nan, 1.0), "finite"),
        ((0.0, 0.0, 0.0), "not all 0"),
    ],
)
def test_says_which_weights_are_wrong(weights, message):
    with pytest.raises(ValueError, match=message):
        ohem_cross_entropy(tf.zeros((1, 2, 2)), tf.zeros((1, 2, 2, 3)), class_weights=weights)


def test_the_loss_object_keeps_its_weights():
    generator = np.random.default_rng(0)
    labels, weights = generator.integers(0, 3, (1, 4, 4)), (1.0, 2.0, 0.5)
    logits = generator.normal(size=(1, 4, 4, 3)).astype("float32")
    loss = keras.losses.deserialize(
        keras.losses.serialize(OhemCrossEntropy(min_kept=0, class_weights=weights))
    )
    expected, _ = ohem_numpy(labels, logits, 0.7, 0, weights)
    assert loss(labels, logits).numpy() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="not all 0"):
        OhemCrossEntropy(class_weights=(0, 0))


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize(("shape", "min_kept"), [((2, 8, 8), 8), ((1, 3, 5), 0)])
def test_none_keeps_a_sixteenth_of_the_label_pixels(dynamic, shape, min_kept):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, shape)
    # All pixels are easier than the threshold, so that only the minimum is kept.
    logits = (4 * np.eye(3)[labels] + generator.normal(0, 0.1, (*shape, 3))).astype("float32")
    expected, kept = ohem_numpy(labels, logits, 0.7, min_kept)
    assert kept == (min_kept or labels.size)
    signature = [
        tf.TensorSpec([None, None, None] if dynamic else shape, tf.int32),
        tf.TensorSpec([None, None, None, 3] if dynamic else (*shape, 3), tf.float32),
    ]
    traced = tf.function(ohem_cross_entropy, input_signature=signature)
    assert traced(labels.astype("int32"), logits).numpy() == pytest.approx(expected, rel=1e-5)


def test_half_precision_is_computed_in_float32():
    fixture = load_fixture("ohem")
    logits = tf.cast(fixture["logits_nhwc"], "float16")
    # 19 classes on 1024 pixels: float16 sums would be off by percents.
    expected, _ = ohem_numpy(fixture["target"], logits.numpy(), 0.7, 600)
    loss = ohem_cross_entropy(fixture["target"], logits, min_kept=600)
    assert loss.dtype == tf.float32
    assert loss.numpy() == pytest.approx(expected, abs=1e-5)


def test_other_ignore_label():
    logits = np.random.default_rng(0).normal(size=(1, 2, 2, 3)).astype("float32")
    labels = np.array([[[0, 1], [255, 2]]])
    expected, _ = ohem_numpy(labels, logits, 0.7, 0)
    labels[labels == 255] = 11
    loss = ohem_cross_entropy(labels, logits, min_kept=0, ignore_label=11)
    assert loss.numpy() == pytest.approx(expected, rel=1e-5)


def test_loss_object_equals_the_function_and_survives_its_config():
    fixture = load_fixture("ohem")
    labels, logits = fixture["target"].astype("uint8"), fixture["logits_nhwc"]
    loss = keras.losses.deserialize(
        keras.losses.serialize(OhemCrossEntropy(threshold=0.1, min_kept=100))
    )
    assert isinstance(loss, OhemCrossEntropy)
    assert loss(labels, logits).numpy() == pytest.approx(fixture["mk100_t0.1/loss"], abs=1e-5)


def test_trains_in_compile_and_fit():
    model = keras.Sequential([keras.Input((None, None, 2)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", loss=OhemCrossEntropy())
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype("float32")
    labels = np.random.default_rng(1).integers(0, 3, (2, 4, 4)).astype("uint8")
    labels[0, 0] = 255
    expected, _ = ohem_numpy(labels, model(images).numpy(), 0.7, 32 // 16)
    history = model.fit(images, labels, batch_size=2, verbose=0)
    assert history.history["loss"][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, r"threshold.*\(0, 1\].*Received: 0"),
        ({"threshold": 1.5}, "Received: 1.5"),
        ({"min_kept": -1}, "min_kept=-1"),
    ],
)
def test_says_which_option_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        OhemCrossEntropy(**options)
    with pytest.raises(ValueError, match=message):
        ohem_cross_entropy(tf.zeros((1, 2, 2)), tf.zeros((1, 2, 2, 3)), **options)


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 2, 2, 1), (2, 2)])
def test_says_that_the_shapes_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"logits\.shape=\(1, 2, 2, 3\)"):
        ohem_cross_entropy(tf.zeros(shape), tf.zeros((1, 2, 2, 3)))
