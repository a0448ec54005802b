"""A copy of the network in training, for evaluation and saving."""

import keras
from keras import ops

from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.training.l2_optimizer import L2Optimizer


class EvaluatedNetwork:
    """A float32 copy of a network in training, with averaged weights if the optimizer has them.

    The copy has separate weights, so training never uses the averages, even if an evaluation
    fails. The same float32 network is evaluated, saved and exported, even if training uses half
    precision. The statistics of batch normalisation are copied from training: they are already
    averages over the last few dozen steps.

    Args:
        network: The network in training.
        optimizer: Its built optimizer: an `L2Optimizer`, alone or inside a `LossScaleOptimizer`.

    Attributes:
        network: The copy, with the weights of the last `update`.
    """

    def __init__(self, network: SegmentationNetwork, optimizer: keras.optimizers.Optimizer) -> None:
        self._source = network
        self._optimizer: L2Optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        self.network = type(network).from_config({**network.get_config(), "dtype": "float32"})
        self.update()

    def update(self) -> None:
        """Copies the weights, or their averages, and the statistics of the network."""
        for copy, weight in zip(self.network.weights, self._source.weights, strict=True):
            # Not the same buffer, which JAX's training loop gives away.
            copy.assign(ops.copy(weight))
        averages = self._optimizer.averages
        if averages is not None:
            copies = self.network.trainable_variables
            for copy, average in zip(copies, averages, strict=True):
                copy.assign(ops.copy(average))
