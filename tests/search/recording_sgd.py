"""SGD that remembers the gradients that it was given."""

import numpy as np

from keras_fasterseg.training.l2_sgd import L2SGD


class RecordingSGD(L2SGD):
    """`gradients` holds a list of arrays for each step."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gradients = []

    def apply(self, grads, trainable_variables=None):
        self.gradients.append([np.array(gradient) for gradient in grads])
        return super().apply(grads, trainable_variables)
