import collections
import dataclasses

import numpy as np
import pytest

from keras_fasterseg.latency.operations import build_operation, operation_of, total_work
from keras_fasterseg.spaces.joint.network import JointNetwork
from keras_fasterseg.spaces.joint.stages import (
    block_keys,
    network_stages,
    required_keys,
    supernet_keys,
)
from tests.spaces.joint.genotypes import SMALL
from tests.spaces.joint.tiny import SETTINGS

SIZE, CLASSES = (64, 96), 3


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_stages_are_the_layers_of_the_network():
    network = JointNetwork(SMALL, CLASSES, auxiliary_heads=True, input_size=SIZE)
    for stage in network_stages(SMALL, SIZE, CLASSES):
        layer, work = network.get_layer(stage.name), total_work(stage.keys)
        assert work.trainable == count(layer.trainable_weights), stage
        assert work.statistics == count(layer.non_trainable_weights), stage
        (key,) = stage.keys
        if stage.name != "low_level" and stage.name != "fusion":
            assert layer.input.shape[1:] == (key.height, key.width, key.in_filters), stage
        assert build_operation(key).output_shape[1:] == layer.output.shape[1:], stage
        assert stage.training_only == (stage.name == "auxiliary")


def test_stages_are_in_an_executable_order():
    names = [stage.name for stage in network_stages(SMALL, SIZE, CLASSES)]
    assert names == [
        *("stem", "early_downsampler", "early_0", "early_1", "early_2"),
        *("late_downsampler", "late_0", "late_1", "average_pool", "low_level", "pyramid"),
        *("fusion", "classifier", "auxiliary"),
    ]


def test_keys_of_blocks():
    stages = {stage.name: stage.keys for stage in network_stages(SMALL, SIZE, CLASSES)}
    assert list(map(str, (*stages["early_1"], *stages["late_0"], *stages["low_level"]))) == [
        "joint_block:16x24:4->8/1:dilation=2,middle=4,pooled=1",
        "joint_block:8x12:16->10/1:dilation=4,middle=12,pooled=1",
        "joint_low_level:16x24:9->8/2",
    ]


@pytest.mark.parametrize("pooled", [0, 1])
@pytest.mark.parametrize(("stage", "filters"), [("early", 8), ("late", 16)])
def test_macs_of_a_block(stage, filters, pooled):
    """3 c_mid (c_in + c_out) for every pixel of the block's resolution."""
    keys = block_keys(SETTINGS, stage, (filters, filters - 3), SIZE)
    # Two dilations, and two widths of input, middle and output.
    keys = [key for key in keys if ("pooled", pooled) in key.attributes]
    assert len(set(keys)) == len(keys) == 2 * 2**3
    for key in keys:
        middle = dict(key.attributes)["middle"]
        macs = 3 * middle * (key.in_filters + key.out_filters) * key.height * key.width
        assert total_work([key]).macs == macs // 4**pooled


def test_required_keys():
    """Widths are measured below 16 and at multiples of 16; 16 and 20 need 16 and 32."""
    settings = dataclasses.replace(SETTINGS, late_filters=20)
    keys = required_keys(settings, SIZE, CLASSES)
    assert len(set(keys)) == len(keys)
    for key in keys:
        operation_of(key)
    counts = collections.Counter(key.operation for key in keys)
    assert counts == {
        # Two dilations, pooled or not; two widths of input, middle and output; two stages.
        "joint_block": 2 * 2 * 2**3 * 2,
        # Stem and early one, and inputs of 4 or 8 channels for the late one.
        "joint_downsampler": 2 + 2,
        "joint_average_pool": 1,
        "joint_low_level": 2,
        "joint_pyramid": 2,
        "conv_bn_relu_1x1": 1,
        "joint_classifier": 1,
    }
    late = {key.in_filters for key in keys if key.operation == "joint_block" and key.height == 8}
    assert late == {16, 32}


def test_supernet_keys():
    keys = supernet_keys(SETTINGS, SIZE, CLASSES)
    blocks = [key for key in keys if key.operation == "joint_block"]
    assert len(keys) == 2 * 2 * 4 + 4
    assert {(key.in_filters, key.out_filters) for key in blocks} == {(8, 8), (16, 16)}
    assert {dict(key.attributes)["middle"] for key in blocks} == {8, 16}
    assert sorted(str(key) for key in keys if key not in blocks) == [
        "joint_classifier:8x12:16->3/1",
        "joint_downsampler:16x24:8->16/2",
        "joint_downsampler:32x48:4->8/2",
        "joint_downsampler:64x96:3->4/2",
    ]


def test_sizes_that_are_no_multiples_of_32():
    with pytest.raises(ValueError, match=r"multiples of 32\. Received: 64x100"):
        network_stages(SMALL, (64, 100), CLASSES)
