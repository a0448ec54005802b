"""Convolution with dilations as one operation. This file selects the backend's operation."""

import functools
from typing import Any

import keras
from keras import ops


def dilated_convolution(inputs: Any, kernel: Any, dilation: tuple[int, int]) -> Any:
    """Convolves with zero padding that keeps the size.

    Keras on TensorFlow moves dilated pixels into the batch, convolves and moves them back. One
    operation is a quarter faster to train on a CPU, and exports contain a plain convolution. Where
    TensorFlow cannot differentiate it (on a CPU without oneDNN), this is Keras's convolution.

    Args:
        inputs: `(batch, height, width, channels)`.
        kernel: `(kernel_height, kernel_width, channels, filters)`.
        dilation: Dilation of the rows and of the columns.

    Returns:
        `(batch, height, width, filters)`.
    """
    if keras.backend.backend() == "tensorflow" and _differentiates_dilations():
        import tensorflow as tf

        return tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME", dilations=dilation)
    return ops.conv(inputs, kernel, strides=1, padding="same", dilation_rate=dilation)


def dilated_depthwise_convolution(inputs: Any, kernel: Any, dilation: int) -> Any:
    """Convolves every channel on its own, with zero padding that keeps the size.

    On TensorFlow this is a convolution with as many groups as channels, which exports contain as
    one operation. Its gradient may end the process, and that of a dilated depthwise operation is
    wrong. The gradient is therefore that of Keras's convolution, which moves dilated pixels into
    the batch.

    Args:
        inputs: `(batch, height, width, channels)`.
        kernel: `(kernel_height, kernel_width, channels, 1)`.
        dilation: Dilation of rows and columns.

    Returns:
        `(batch, height, width, channels)`.
    """
    if keras.backend.backend() == "tensorflow":
        return _grouped_convolution(inputs, kernel, dilation)
    return ops.depthwise_conv(inputs, kernel, strides=1, padding="same", dilation_rate=dilation)


def _grouped_convolution(inputs: Any, kernel: Any, dilation: int) -> Any:
    import tensorflow as tf

    @tf.custom_gradient
    def convolve(inputs, kernel):
        def gradient(upstream):
            with tf.GradientTape() as tape:
                tape.watch((inputs, kernel))
                outputs = tf.nn.depthwise_conv2d(
                    inputs, kernel, (1, 1, 1, 1), "SAME", dilations=(dilation, dilation)
                )
            return tape.gradient(outputs, (inputs, kernel), upstream)

        grouped = tf.transpose(kernel, (0, 1, 3, 2))
        outputs = tf.nn.conv2d(inputs, grouped, strides=1, padding="SAME", dilations=dilation)
        return outputs, gradient

    # A custom gradient cannot take a variable.
    return convolve(inputs, tf.convert_to_tensor(kernel))


@functools.cache
def _differentiates_dilations() -> bool:
    import tensorflow as tf

    with tf.init_scope():
        images, kernel = tf.zeros((1, 3, 3, 1)), tf.zeros((3, 1, 1, 1))
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=images.shape,
                filter=kernel,
                out_backprop=images,
                strides=(1, 1, 1, 1),
                padding="SAME",
                dilations=(1, 2, 1, 1),
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class DilatedConv2D(keras.layers.Conv2D):
    """Keras' `Conv2D` of stride 1 and padding `"same"` that computes `dilated_convolution`.

    Args:
        filters: Output channels.
        kernel_size: Height and width of the kernel.
        dilation_rate: Dilation of the rows and of the columns.
        **kwargs: Further arguments of `keras.layers.Conv2D`, except strides and padding.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, height, width, filters)`.
    """

    def __init__(
        self, filters: int, kernel_size: Any, dilation_rate: Any = 1, **kwargs: Any
    ) -> None:
        kwargs = {"padding": "same", "data_format": "channels_last", **kwargs}
        super().__init__(filters, kernel_size, dilation_rate=dilation_rate, **kwargs)
        fixed = {"padding": "same", "strides": (1, 1), "groups": 1, "data_format": "channels_last"}
        found = {name: getattr(self, name) for name in fixed}
        if found != fixed:
            raise ValueError(f"These arguments must be {fixed}. Received: {found}")

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return dilated_convolution(inputs, kernel, self.dilation_rate)
