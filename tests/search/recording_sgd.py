"""SGD that remembers the gradients that it applies."""

import numpy as np

from keras_fasterseg.training.l2_sgd import L2SGD


class RecordingSGD(L2SGD):
    """`gradients` holds a list of arrays for each step, clipped."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gradients = []

    def _clip_gradients(self, grads):
        grads = super()._clip_gradients(grads)
        scale = 1.0 if self._scale is None else float(self._scale)
        self.gradients.append([scale * np.array(gradient) for gradient in grads])
        return grads
