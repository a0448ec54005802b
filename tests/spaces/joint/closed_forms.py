"""Layers of the joint space in NumPy and float64, with the weights of the built layers."""

import numpy as np

from tests.layers.closed_forms import batch_moments, convolve, normalize, relu
from tests.layers.resize_test import resize_numpy


def randomize_normalizations(layer, seed: int = 0) -> None:
    """Gives every batch normalisation below `layer` parameters and statistics of its own."""
    generator = np.random.default_rng(seed)
    for weight in layer.weights:
        if weight.path.endswith(("gamma", "beta", "moving_mean", "moving_variance")):
            weight.assign(generator.uniform(0.5, 1.5, size=weight.shape))


def normalized(layer, images: np.ndarray, training: bool = False) -> np.ndarray:
    """A batch normalisation of `images`, by batch statistics in training."""
    gamma, beta, mean, variance = (weight.numpy() for weight in layer.weights)
    if training:
        mean, variance = batch_moments(images)
    return normalize(images, mean, variance, gamma, beta)


def conv_batch_norm(layer, images: np.ndarray) -> np.ndarray:
    kernel = layer.convolution.kernel.numpy()
    return relu(normalized(layer.normalization, convolve(images, kernel, layer.strides)))


def max_pool(images: np.ndarray) -> np.ndarray:
    """Maximum of each 2x2 pixels; height and width are even."""
    batch, height, width, channels = images.shape
    pixels = images.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return pixels.max(axis=(2, 4))


def downsampler(layer, images: np.ndarray, training: bool = False) -> np.ndarray:
    convolved = convolve(images, layer.convolution.kernel.numpy(), 2)
    joined = np.concatenate([convolved, max_pool(images)], axis=-1)
    return relu(normalized(layer.normalization, joined, training))


def block(layer, images: np.ndarray, training: bool = False) -> np.ndarray:
    """A `FactorizedBlock` without dropout."""
    rate = layer.dilation
    outputs = max_pool(images) if layer.pooled else images
    outputs = convolve(outputs, layer.vertical.kernel.numpy(), dilation=(rate, 1))
    outputs = relu(normalized(layer.vertical_normalization, outputs, training))
    outputs = convolve(outputs, layer.horizontal.kernel.numpy(), dilation=(1, rate))
    outputs = normalized(layer.horizontal_normalization, outputs, training)
    if layer.pooled:
        outputs = resize_numpy(outputs, images.shape[1:3])
    shared = min(images.shape[-1], layer.filters)
    outputs[..., :shared] += images[..., :shared]
    return relu(outputs)


def adaptive_average_pool(images: np.ndarray, bins: int) -> np.ndarray:
    """Means over `floor(i * side / bins)` to `ceil((i + 1) * side / bins)`, bin by bin."""
    batch, height, width, channels = images.shape
    pooled = np.zeros((batch, bins, bins, channels))
    for row in range(bins):
        rows = slice(row * height // bins, -(-(row + 1) * height // bins))
        for column in range(bins):
            columns = slice(column * width // bins, -(-(column + 1) * width // bins))
            pooled[:, row, column] = images[:, rows, columns].mean(axis=(1, 2))
    return pooled


def pyramid(layer, images: np.ndarray) -> np.ndarray:
    maps = [images]
    for bins, reduction in zip(layer.bins, layer.reductions, strict=True):
        reduced = conv_batch_norm(reduction, adaptive_average_pool(images, bins))
        maps.append(resize_numpy(reduced, images.shape[1:3]))
    return conv_batch_norm(layer.projection, np.concatenate(maps, axis=-1))
