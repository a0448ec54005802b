"""The config of models whose sizes are free; static ones are in model_repository_test."""

from types import SimpleNamespace

from keras_fasterseg.serving.tensorflow_serving_repository import BatchingParameters
from keras_fasterseg.serving.triton_repository import triton_config


def config_lines(batch_size, input_size, num_classes=5):
    runner = SimpleNamespace(
        batch_size=batch_size, input_size=input_size, outputs=("class_ids", "logits")
    )
    return triton_config(runner, "student", num_classes, BatchingParameters(4, 1.5)).splitlines()


def test_a_free_batch_is_made_up_by_triton():
    lines = config_lines(None, (96, 160))
    assert "max_batch_size: 4" in lines
    assert 'input [ { name: "images" data_type: TYPE_UINT8 dims: [96, 160, 3] } ]' in lines
    assert 'output [ { name: "class_ids" data_type: TYPE_UINT8 dims: [96, 160] } ]' in lines
    assert "dynamic_batching { max_queue_delay_microseconds: 1500 }" in lines
    assert any("batch_size: 1 " in line for line in lines)


def test_free_sizes_are_open_and_warmed_up_at_one():
    lines = config_lines(1, None, num_classes=None)
    assert "max_batch_size: 0" in lines
    assert 'input [ { name: "images" data_type: TYPE_UINT8 dims: [1, -1, -1, 3] } ]' in lines
    assert 'output [ { name: "logits" data_type: TYPE_FP32 dims: [1, -1, -1, -1] } ]' in lines
    assert any("dims: [1, 256, 256, 3] zero_data" in line for line in lines)
    assert not any("dynamic_batching" in line for line in lines)
