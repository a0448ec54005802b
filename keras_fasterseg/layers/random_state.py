"""Saves the state of a random generator with the weights, so that its sequence resumes."""

from typing import Any

import keras

_KEY = "random_state"


class SavesRandomState:
    """Mixin for layers and models that draw from `self.random`; saves its state with the weights.

    A layer whose `random` is `None` draws nothing and saves no state.

    Keras omits the state of a `SeedGenerator` from `save_weights`, so a resumed training would draw
    its first numbers again. Loading a file without the state leaves the state unchanged.
    """

    random: Any  # a `keras.random.SeedGenerator` or None

    # A Keras base class would change how models are made; type checkers therefore miss `super()`.
    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)  # pyright: ignore[reportAttributeAccessIssue]
        if self.random is not None:
            store[_KEY] = keras.ops.convert_to_numpy(self.random.state)

    def load_own_variables(self, store: Any) -> None:
        # A Keras store is not a mapping: it has keys but no iterator.
        values = {key: store[key] for key in list(store.keys())}
        state = values.pop(_KEY, None)
        super().load_own_variables(values)  # pyright: ignore[reportAttributeAccessIssue]
        if state is not None and self.random is not None:
            self.random.state.assign(state)
