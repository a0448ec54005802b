import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.serving.prediction_messages import PredictionLog
from keras_fasterseg.serving.warmup import warmup_images, write_warmup_requests


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    batches = [warmup_images((32, 64)), np.repeat(warmup_images((64, 32)), 2, axis=0)]
    write_warmup_requests(path, "student", batches)
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    assert len(records) == 2
    for record, images in zip(records, batches, strict=True):
        request = PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "student"
        assert request.model_spec.signature_name == "serving_default"
        np.testing.assert_array_equal(tf.io.parse_tensor(request.inputs["images"], "uint8"), images)


def test_images_are_what_the_signature_takes():
    images = warmup_images((32, 64))
    assert images.shape == (1, 32, 64, 3)
    assert images.dtype == np.uint8
    with pytest.raises(ValueError, match=r"size=\(31, 64\)"):
        warmup_images((31, 64))
