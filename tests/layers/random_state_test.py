import keras
import numpy as np

from keras_fasterseg.layers.random_state import SavesRandomState


class Noise(SavesRandomState, keras.layers.Layer):
    """Adds random numbers to its weight."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.random = keras.random.SeedGenerator(seed)
        self.weight = self.add_weight(shape=(3,), initializer="ones", name="weight")
        self.built = True

    def call(self, inputs):
        return inputs + self.weight + keras.random.normal((3,), seed=self.random)


class Plain(keras.layers.Layer):
    """The same weight without random numbers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.weight = self.add_weight(shape=(3,), initializer="zeros", name="weight")
        self.built = True

    def call(self, inputs):
        return inputs + self.weight


def make_model(layer):
    return keras.Sequential([keras.Input((3,)), layer])


def draw(model):
    return keras.ops.convert_to_numpy(model(np.zeros((1, 3), "float32")))


def test_random_numbers_go_on_after_loading(tmp_path):
    model = make_model(Noise(seed=1, name="noise"))
    draw(model)
    model.save_weights(tmp_path / "a.weights.h5")
    expected = [draw(model), draw(model)]
    other = make_model(Noise(seed=2, name="noise"))
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal([draw(other), draw(other)], expected)
    # Without the state the first draw would come again.
    assert not np.array_equal(expected[0], draw(make_model(Noise(seed=1))))


def test_weights_without_a_state_load_too(tmp_path):
    # Keras names the groups of a file by class.
    plain = type("Noise", (Plain,), {})(name="noise")
    make_model(plain).save_weights(tmp_path / "a.weights.h5")
    model, twin = make_model(Noise(seed=1, name="noise")), make_model(Noise(seed=1))
    model.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.layers[0].weight), np.zeros(3))
    np.testing.assert_allclose(draw(model), draw(twin) - 1, atol=1e-6)
