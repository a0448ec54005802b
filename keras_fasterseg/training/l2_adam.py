"""Adam as in PyTorch: the L2 term is part of the gradient."""

import keras

from keras_fasterseg.training.l2_optimizer import L2Optimizer


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class L2Adam(L2Optimizer, keras.optimizers.Adam):
    """Adam with the L2 term of `L2Optimizer`, which both of Adam's averages therefore contain.

    AdamW instead subtracts its decay from the weights. Keras adds `epsilon` before correcting the
    bias of the second average, PyTorch after it: they differ where gradients are as small as
    `epsilon`.

    Args:
        learning_rate: A number or a schedule.
        l2: Factor of the L2 term.
        **kwargs: As for `keras.optimizers.Adam`.

    Reference:
        `torch.optim.Adam(weight_decay=...)`.
    """

    def __init__(self, learning_rate=0.001, l2: float = 0.0, **kwargs):
        super().__init__(learning_rate, l2=l2, **kwargs)
