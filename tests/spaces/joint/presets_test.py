"""The published network against the paper and its counting formula."""

import math

import pytest

from keras_fasterseg.latency.operations import total_work
from keras_fasterseg.spaces.joint.genotype import JointGenotype
from keras_fasterseg.spaces.joint.presets import preset_files
from keras_fasterseg.spaces.joint.stages import network_stages

# Inputs, middle and output of every block, and whether it is pooled.
EARLY = [(64, 64, 64), (64, 60, 52), (52, 64, 44), (44, 60, 48)]
LATE = [
    *((128, 112, 124), (124, 128, 120), (120, 108, 116), (116, 124, 124), (124, 120, 120)),
    *((120, 124, 128), (128, 120, 124), (124, 100, 124), (124, 96, 124)),
]
POOLED = {4, 12}
DOWNSAMPLERS = [(3, 16), (16, 64), (48, 128)]


@pytest.fixture(scope="module")
def published():
    return JointGenotype.load(preset_files()["joint_published"])


def work(genotype, size, classes):
    stages = network_stages(genotype, size, classes)
    return total_work(key for stage in stages if not stage.training_only for key in stage.keys)


def test_blocks(published):
    blocks = [*published.early, *published.late]
    expected = [*EARLY, *LATE]
    assert [(block.middle, block.filters) for block in blocks] == [each[1:] for each in expected]
    assert [block.dilation for block in blocks] == [1, 1, 1, 1, 4, 2, 1, 4, 8, 2, 8, 16, 2]
    assert {index for index, block in enumerate(blocks) if block.pooled} == POOLED
    keys = [
        stage.keys[0]
        for stage in network_stages(published, (512, 1024), 19)
        if stage.keys[0].operation == "joint_block"
    ]
    assert [key.in_filters for key in keys] == [each[0] for each in expected]


def encoder_gflops(genotype, size, classes):
    """The paper's count, of the encoder and a 1x1 classifier of the full width.

    A convolution counts (size * inputs + 1) * filters a pixel, a max-pool 4 * inputs.
    """
    height, width = size
    total = 0
    keys = [key for stage in network_stages(genotype, size, classes) for key in stage.keys]
    for key in keys:
        pixels, inputs = key.height * key.width, key.in_filters
        if key.operation == "joint_downsampler":
            total += pixels // 4 * ((9 * inputs + 1) * (key.out_filters - inputs) + 4 * inputs)
        if key.operation == "joint_block":
            middle, pooled = (dict(key.attributes)[name] for name in ("middle", "pooled"))
            pixels //= 4**pooled
            total += pixels * ((3 * inputs + 1) * middle + (3 * middle + 1) * key.out_filters)
            total += pooled * pixels * 4 * inputs
    classifier = (genotype.late_filters + 1) * classes
    return (total + classifier * height * width // 64) / 1e9


def test_cost_of_the_encoder(published):
    assert encoder_gflops(published, (512, 1024), 20) == pytest.approx(8.5268, abs=5e-5)


@pytest.mark.parametrize(
    ("size", "gmacs", "digits"),
    [((512, 1024), 9.33, 2), ((768, 1536), 20.99, 2), ((1024, 2048), 37.3, 1)],
)
def test_multiply_accumulates(published, size, gmacs, digits):
    assert round(work(published, size, 20).macs / 1e9, digits) == gmacs


def test_parameters(published):
    """1.0227 million, with 20 classes and biases of the convolutions of the encoder.

    Batch normalisation follows all of these, so our convolutions have no biases; Cityscapes has 19
    classes.
    """
    biases = sum(filters - inputs for inputs, filters in DOWNSAMPLERS)
    biases += sum(middle + filters for _, middle, filters in [*EARLY, *LATE])
    one_class = 128 + 1
    ours = work(published, (512, 1024), 19).trainable
    assert ours + biases + one_class == 1_022_688
    assert work(published, (512, 1024), 20).trainable == ours + one_class


def test_parameters_by_hand(published):
    """Kernels, a scale and an offset for every normalised channel, and the classifier."""
    weights = sum(9 * c * (n - c) + 2 * n for c, n in DOWNSAMPLERS)
    weights += sum(3 * m * (c + n) + 2 * (m + n) for c, m, n in [*EARLY, *LATE])
    convolutions = [*[(1, 124, 40)] * 5, (1, 124 + 200, 128), (9, 48 + 16, 64), (1, 192, 128)]
    weights += sum(size * c * n + 2 * n for size, c, n in convolutions)
    assert work(published, (512, 1024), 19).trainable == weights + (128 + 1) * 19
    assert math.isclose(weights, 1.0174e6, rel_tol=1e-4)
