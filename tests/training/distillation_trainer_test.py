import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.losses.distillation import distillation_loss
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.training.distillation_trainer import DistillationTrainer, boundary_labels
from keras_fasterseg.training.l2_sgd import L2SGD

CLASSES = 4
SIZE = (32, 32)
RATE = 0.1


@keras.saving.register_keras_serializable(package="tests")
class _Upsampling(keras.layers.Layer):
    def call(self, inputs):
        return resize_bilinear(inputs, SIZE)


def make_network(auxiliary, seed):
    """Three heads over a batch-normalised stem; full-size logits."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((*SIZE, 3))
    features = keras.layers.Conv2D(8, 8, strides=8, use_bias=False)(images)
    features = keras.layers.ReLU()(keras.layers.BatchNormalization()(features))
    outputs = {}
    for name in ("scale_8", "scale_16", "scale_32"):
        outputs[name] = _Upsampling()(keras.layers.Conv2D(CLASSES, 1)(features))
        # The heads see other features, so that no two losses are the same.
        features = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(features)
    return keras.Model(images, outputs if auxiliary else outputs["scale_8"])


def batch():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.repeat(generator.integers(0, CLASSES, (2, 4, 4)), 8, 1), 8, 2)
    labels[:, :5] = 255
    images = generator.normal(size=(2, *SIZE, 3)).astype("float32")
    return tf.constant(images), tf.constant(labels, tf.int32)


def make_trainer(teacher=True, rate=RATE, momentum=0.0, **kwargs):
    network = make_network(auxiliary=True, seed=0)
    teacher = make_network(auxiliary=False, seed=1) if teacher else None
    trainer = DistillationTrainer(network, teacher, **kwargs)
    trainer.compile(optimizer=L2SGD(rate, momentum=momentum), jit_compile=False)
    return trainer


def parts_of_the_loss(network, teacher, images, labels, reduction="element_mean"):
    predictions = network(images, training=True)
    losses = {name: ohem_cross_entropy(labels, x) for name, x in predictions.items()}
    imitation = 0.0
    if teacher is not None:
        logits = teacher(images, training=False)
        imitation = distillation_loss(predictions["scale_8"], logits, reduction=reduction)
    return losses["scale_8"], losses["scale_16"], losses["scale_32"], imitation


@pytest.mark.parametrize("reduction", ["element_mean", "pixel_mean"])
def test_a_step_goes_down_the_sum_of_the_parts(reduction):
    trainer = make_trainer(
        auxiliary_weight=0.3, distillation_weight=2.0, distillation_reduction=reduction
    )
    images, labels = batch()
    copies = make_network(auxiliary=True, seed=0), make_network(auxiliary=False, seed=1)
    with tf.GradientTape() as tape:
        first, second, third, imitation = parts_of_the_loss(*copies, images, labels, reduction)
        loss = first + 0.3 * second + 0.3 * third + 2.0 * imitation
    weights = [variable.value for variable in copies[0].trainable_variables]
    gradients = tape.gradient(loss, weights)
    logs = trainer.train_step((images, labels))
    assert float(logs["loss"]) == pytest.approx(float(loss), rel=1e-6)
    assert float(logs["distillation_loss"]) == pytest.approx(float(imitation), rel=1e-6)
    assert len({round(float(part), 6) for part in (first, second, third, imitation)}) == 4
    trained = trainer.network.trainable_variables
    for variable, before, gradient in zip(trained, weights, gradients, strict=True):
        np.testing.assert_allclose(variable, before - RATE * gradient, rtol=1e-5, atol=1e-6)


def test_pixel_mean_is_larger_by_the_number_of_classes():
    logs = [
        make_trainer(distillation_reduction=reduction).train_step(batch())
        for reduction in ("element_mean", "pixel_mean")
    ]
    ratio = float(logs[1]["distillation_loss"]) / float(logs[0]["distillation_loss"])
    assert ratio == pytest.approx(CLASSES, rel=1e-5)


def test_the_teacher_never_changes_and_the_network_does():
    trainer = make_trainer()
    before = [np.array(w) for w in trainer.teacher.weights]
    statistics = [np.array(w) for w in trainer.network.non_trainable_variables]
    trainer.fit(tf.data.Dataset.from_tensors(batch()).repeat(), steps_per_epoch=3, verbose=0)
    for weight, value in zip(trainer.teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    moved = zip(trainer.network.non_trainable_variables, statistics, strict=True)
    assert any((np.array(weight) != value).any() for weight, value in moved)


def test_without_a_teacher():
    trainer = make_trainer(teacher=False)
    images, labels = batch()
    copy = make_network(auxiliary=True, seed=0)
    first, second, third, _ = parts_of_the_loss(copy, None, images, labels)
    logs = trainer.train_step((images, labels))
    assert set(logs) == {"loss"}
    assert float(logs["loss"]) == pytest.approx(float(first + 0.2 * (second + third)), rel=1e-6)


@pytest.mark.parametrize(("teacher", "share"), [(True, 0.9), (False, 0.7)])
def test_fit_lowers_the_loss_of_a_fixed_batch(teacher, share):
    trainer = make_trainer(teacher, rate=0.05, momentum=0.9)
    dataset = tf.data.Dataset.from_tensors(batch()).repeat()
    history = trainer.fit(dataset, epochs=5, steps_per_epoch=10, verbose=0).history["loss"]
    # An untrained teacher contradicts the labels: less is gained with it.
    assert history[-1] < share * history[0]


def test_void_labels_train_by_the_teacher_alone():
    trainer = make_trainer()
    images, labels = batch()
    logs = trainer.train_step((images, tf.fill(labels.shape, 255)))
    assert float(logs["loss"]) == pytest.approx(float(logs["distillation_loss"]))
    assert all(np.isfinite(weight).all() for weight in trainer.network.weights)


def test_class_weights_reach_every_segmentation_loss():
    weights = (1.0, 0.0, 5.0, 0.25)
    trainer = make_trainer(teacher=False, class_weights=weights)
    images, labels = batch()
    predictions = make_network(auxiliary=True, seed=0)(images, training=True)
    expected = sum(
        (1.0 if name == "scale_8" else 0.2)
        * ohem_cross_entropy(labels, logits, class_weights=weights)
        for name, logits in predictions.items()
    )
    assert float(trainer.train_step((images, labels))["loss"]) == pytest.approx(float(expected))


def test_with_a_stride_losses_see_a_grid_of_pixels():
    trainer = make_trainer(loss_stride=3)
    images, labels = batch()
    copies = make_network(auxiliary=True, seed=0), make_network(auxiliary=False, seed=1)
    grid = slice(1, None, 3)
    predictions = copies[0](images, training=True)
    losses = {
        name: ohem_cross_entropy(labels[:, grid, grid], logits[:, grid, grid])
        for name, logits in predictions.items()
    }
    teacher = copies[1](images, training=False)
    imitation = distillation_loss(predictions["scale_8"][:, grid, grid], teacher[:, grid, grid])
    expected = losses["scale_8"] + 0.2 * (losses["scale_16"] + losses["scale_32"]) + imitation
    logs = trainer.train_step((images, labels))
    assert float(logs["loss"]) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
def test_pixels_at_boundaries_count_again(stride):
    weights = (1.0, 0.5, 5.0, 0.25)
    options = {"teacher": False, "class_weights": weights, "loss_stride": stride}
    images, labels = batch()
    logs = [
        make_trainer(boundary_weight=weight, **options).train_step((images, labels))
        for weight in (0.0, 3.0)
    ]
    logits = make_network(auxiliary=True, seed=0)(images, training=True)["scale_8"].numpy()
    grid = slice(stride // 2, None, stride)
    boundary = slow_boundary_labels(labels.numpy())[:, grid, grid]
    chosen = boundary != 255
    own = keras.ops.log_softmax(logits[:, grid, grid][chosen])
    entropies = -np.take_along_axis(own.numpy(), boundary[chosen][:, None], axis=1)[:, 0]
    expected = np.average(entropies, weights=np.array(weights)[boundary[chosen]])
    added = float(logs[1]["loss"]) - float(logs[0]["loss"])
    assert added == pytest.approx(3.0 * expected, rel=1e-5)


def slow_boundary_labels(labels):
    """By definition, pixel by pixel."""
    found = np.full_like(labels, 255)
    for image, row, column in np.argwhere(labels != 255):
        around = labels[image, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        if len(set(around[around != 255])) > 1:
            found[image, row, column] = labels[image, row, column]
    return found


def test_boundary_labels_have_another_class_nearby():
    labels = np.full((1, 12, 12), 2)
    labels[:, 7:, 6:] = 0
    labels[:, :, 9] = 255
    labels[:, 0, 0] = 3
    found = np.asarray(boundary_labels(labels))
    np.testing.assert_array_equal(found, slow_boundary_labels(labels))
    assert 0 < np.sum(found != 255) < labels.size
    alone = np.where(labels == 2, 2, 255)
    np.testing.assert_array_equal(boundary_labels(alone), np.full_like(labels, 255))


def test_a_scaled_loss_makes_the_same_step_and_is_told_unscaled():
    plain, scaled = make_trainer(), make_trainer()
    optimizer = keras.optimizers.LossScaleOptimizer(L2SGD(RATE, momentum=0.0), initial_scale=2**15)
    scaled.compile(optimizer=optimizer, jit_compile=False)
    logs = [trainer.train_step(batch()) for trainer in (plain, scaled)]
    assert float(logs[0]["loss"]) == float(logs[1]["loss"])
    pairs = zip(plain.network.weights, scaled.network.weights, strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_training_goes_on_from_its_saved_weights_bit_by_bit(tmp_path):
    """With everything that an optimizer can remember: in the midst of an accumulation, too."""

    def make():
        trainer = make_trainer()
        rate = keras.optimizers.schedules.PolynomialDecay(RATE, 8, 0.0, power=0.9)
        sgd = L2SGD(rate, l2=1e-3, use_ema=True, ema_momentum=0.7, gradient_accumulation_steps=2)
        # The scale doubles with every other finite step: before and after the saving.
        optimizer = keras.optimizers.LossScaleOptimizer(sgd, dynamic_growth_steps=2)
        optimizer.build(trainer.network.trainable_variables)
        trainer.compile(optimizer=optimizer, jit_compile=False)
        return trainer

    def go_on(trainer, steps):
        for step in steps:
            images, labels = batch()
            trainer.train_step((images * (1 + step / 8), labels))

    def state(trainer):
        return [np.array(each) for each in [*trainer.variables, *trainer.optimizer.variables]]

    path = tmp_path / "trainer.weights.h5"
    undisturbed = make()
    go_on(undisturbed, range(3))
    undisturbed.save_weights(path)
    go_on(undisturbed, range(3, 6))
    resumed = make()
    resumed.load_weights(path)
    assert any(np.any(np.array(each)) for each in resumed.optimizer.variables)
    go_on(resumed, range(3, 6))
    assert float(resumed.optimizer.dynamic_scale) == 2**15 * 2**3
    for one, other in zip(state(resumed), state(undisturbed), strict=True):
        np.testing.assert_array_equal(one, other)
