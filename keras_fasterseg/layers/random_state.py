"""Random numbers that go on where they were when weights are saved and loaded."""

from typing import Any

import keras

_KEY = "random_state"


class SavesRandomState:
    """Mixin of layers and models that draw from `self.random`: its state is saved with the weights.

    Keras itself leaves the state of a `SeedGenerator` out of `save_weights`, so that a training
    that is stopped and continued would draw its first numbers again. Files without the state
    load too, and leave it alone.
    """

    random: keras.random.SeedGenerator

    # A base of its own from Keras would change how models are made: checkers see no `super()`.
    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)  # pyright: ignore[reportAttributeAccessIssue]
        store[_KEY] = keras.ops.convert_to_numpy(self.random.state)

    def load_own_variables(self, store: Any) -> None:
        # A store of Keras is no mapping: it has keys, but no iterator.
        values = {key: store[key] for key in list(store.keys())}
        state = values.pop(_KEY, None)
        super().load_own_variables(values)  # pyright: ignore[reportAttributeAccessIssue]
        if state is not None:
            self.random.state.assign(state)
