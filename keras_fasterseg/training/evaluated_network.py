"""The network that is evaluated and saved while another is trained."""

import keras

from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.training.l2_sgd import L2SGD


class EvaluatedNetwork:
    """A float32 copy of a network in training, with averaged weights where the optimizer has them.

    The copy has weights of its own. Training never sees the averages, whatever happens to an
    evaluation, and what is evaluated, saved and exported is one and the same float32 network, even
    if training computes in half precision. The running statistics of batch normalisation are those
    of training: they are averages already, over the last few dozen steps.

    Args:
        network: The network in training.
        optimizer: Its optimizer, built: an `L2SGD`, alone or within a `LossScaleOptimizer`.

    Attributes:
        network: The copy; its weights are those of the last `update`.
    """

    def __init__(self, network: SegmentationNetwork, optimizer: keras.optimizers.Optimizer) -> None:
        self._source = network
        self._optimizer: L2SGD = getattr(optimizer, "inner_optimizer", optimizer)
        self.network = type(network).from_config({**network.get_config(), "dtype": "float32"})
        self.update()

    def update(self) -> None:
        """Takes over the weights, or their averages, and the statistics of the network."""
        for copy, weight in zip(self.network.weights, self._source.weights, strict=True):
            copy.assign(weight)
        averages = self._optimizer.averages
        if averages is not None:
            copies = self.network.trainable_variables
            for copy, average in zip(copies, averages, strict=True):
                copy.assign(average)
