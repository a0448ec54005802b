"""Callback that removes states of hyper-cells on a schedule."""

import keras
import numpy as np
from absl import logging

from keras_fasterseg.spaces.autortnet.architecture import AutoRTNetArchitecture


class StatePruning(keras.callbacks.Callback):
    """Removes one state after some epochs, and logs the number left.

    It only changes the mask of the architecture, which checkpoints store, and has no other state.

    Args:
        architecture: The architecture to prune.
    """

    def __init__(self, architecture: AutoRTNetArchitecture):
        super().__init__()
        self.architecture = architecture

    def on_epoch_end(self, epoch, logs=None):
        settings = self.architecture.settings
        since = epoch + 1 - settings.pruning_warmup
        if since >= 0 and since % settings.pruning_interval == 0:
            self.architecture.prune()
        left = int(np.sum(self.architecture.left))
        logging.info("Epoch %d: %d states of hyper-cells left", epoch + 1, left)
        if logs is not None:
            logs["choices_left_gates"] = float(left)
