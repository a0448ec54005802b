"""Architecture parameters of one searched network."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.gumbel_softmax import gumbel_softmax
from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.spaces.fasterseg.choices import Choices, one_hot_widths, width_shapes
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

INITIAL_LOGIT = 1e-3
MINIMAL_LAYERS = 4


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Architecture(SavesRandomState, keras.layers.Layer):
    """Logits of operations (alpha), paths (beta) and widths (gamma) of one network.

    The teacher has no gamma: all its nodes have the largest width. In training, the student samples
    a width for each node with a hard Gumbel-softmax; otherwise it uses the likeliest width.

    Args:
        role: "teacher" or "student".
        num_layers: Layers of the supernet, at least 4.
        num_widths: Number of width multipliers.
        seed: Seed for sampling widths.

    Call arguments:
        training: Whether widths are sampled.
        temperature: Temperature of the Gumbel-softmax.

    Returns:
        `Choices` with gradients to all parameters.

    Reference:
        FasterSeg, sections 3.2 and 3.3 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        role: str,
        num_layers: int = 16,
        num_widths: int = 5,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if role not in (TEACHER, STUDENT):
            raise ValueError(f"`role` must be {TEACHER!r} or {STUDENT!r}. Received: role={role!r}")
        if num_layers < MINIMAL_LAYERS:
            raise ValueError(
                f"`num_layers` must be at least {MINIMAL_LAYERS}. Received: num_layers={num_layers}"
            )
        self.role = role
        self.num_layers = num_layers
        self.num_widths = num_widths
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)
        self.alphas = tuple(
            self._logits(f"alpha_{scale}", (num_layers - index, len(PRIMITIVES)))
            for index, scale in enumerate((8, 16, 32))
        )
        self.betas = tuple(
            self._logits(f"beta_{scale}", (num_layers - 2 - index, 2))
            for index, scale in enumerate((16, 32))
        )
        self.gammas = ()
        if role == STUDENT:
            self.gammas = tuple(
                self._logits(f"gamma_{scale}", (nodes, num_widths))
                for scale, nodes in zip((8, 16, 32), width_shapes(num_layers), strict=True)
            )
        self.built = True

    def _logits(self, name: str, shape: tuple[int, int]):
        initializer = keras.initializers.Constant(INITIAL_LOGIT)
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def call(
        self,
        training: bool = False,
        temperature: Any = 1.0,
    ) -> Choices:
        alphas = tuple(ops.softmax(logits, axis=-1) for logits in self.alphas)
        betas = tuple(ops.softmax(logits, axis=-1) for logits in self.betas)
        return Choices(alphas, betas, self._widths(training, temperature), self.role)

    def _widths(self, training, temperature):
        if not self.gammas:
            return self.num_widths - 1
        logits = [ops.convert_to_tensor(gamma) for gamma in self.gammas]
        if not training:
            return one_hot_widths([ops.argmax(rows, axis=-1) for rows in logits], self.num_widths)
        return tuple(gumbel_softmax(rows, self._noise(rows.shape), temperature) for rows in logits)

    def _noise(self, shape: tuple[int, ...]) -> Any:
        return keras.random.uniform(shape, seed=self.random)

    def logits(self) -> dict[str, tuple[np.ndarray, ...]]:
        """Returns the parameters as arrays, keyed by the argument names of `derive`.

        A fixed width has a single column: there is no choice.
        """
        gammas = tuple(ops.convert_to_numpy(gamma) for gamma in self.gammas)
        if not gammas:
            gammas = tuple(np.zeros((n, 1), "float32") for n in width_shapes(self.num_layers))
        return {
            "alphas": tuple(ops.convert_to_numpy(alpha) for alpha in self.alphas),
            "betas": tuple(ops.convert_to_numpy(beta) for beta in self.betas),
            "gammas": gammas,
        }

    def entropies(self) -> dict[str, float]:
        """Mean entropies of alpha, beta and gamma, as shares of their maxima (1: undecided)."""
        entropies = {}
        for name, parameters in self.logits().items():
            values = []
            for rows in parameters:
                if rows.shape[-1] > 1:
                    exponentials = np.exp(rows - rows.max(axis=-1, keepdims=True), dtype="float64")
                    probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
                    terms = probabilities * np.log(np.maximum(probabilities, 1e-300))
                    values.extend(-terms.sum(axis=-1) / np.log(rows.shape[-1]))
            if values:
                entropies[name.removesuffix("s")] = float(np.mean(values))
        return entropies

    def get_config(self):
        config = {
            "role": self.role,
            "num_layers": self.num_layers,
            "num_widths": self.num_widths,
            "seed": self.seed,
        }
        return {**super().get_config(), **config}
