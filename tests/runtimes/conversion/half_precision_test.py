import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.run.network_export import export_network
from keras_fasterseg.runtimes.conversion.half_precision import computes_in_half, half_precision
from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from keras_fasterseg.runtimes.onnxruntime_pool import session_options
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.registry import load_preset

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SIZE = (128, 256)


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The published student with random weights, in float32."""
    keras.utils.set_random_seed(0)
    network = FasterSegNetwork(load_preset("fasterseg_student"), 19)
    folder = tmp_path_factory.mktemp("student") / "onnx"
    export_network(network, folder, settings=ExportSettings("onnx", input_size=SIZE, output="both"))
    return onnx.load(folder / "model.onnx")


def run(model, feeds, names=None):
    options, _ = session_options(None)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(names, feeds)


def images():
    """Noise above, smooth colours below: large and small differences of neighbours."""
    rows, columns = (np.linspace(0, 255, side, dtype=np.uint8) for side in (64, 256))
    smooth = np.zeros((1, 64, 256, 3), np.uint8)
    smooth[0, :, :, 0] = columns
    smooth[0, :, :, 1] = rows[:, None]
    smooth[0, :, :, 2] = columns[::-1]
    noise = np.random.default_rng(0).integers(0, 256, smooth.shape, np.uint8)
    return np.concatenate([noise, smooth], axis=1)


def interface(model):
    return [
        (each.name, each.type.tensor_type.elem_type, str(each.type.tensor_type.shape))
        for each in [*model.graph.input, *model.graph.output]
    ]


def test_labels_of_the_published_student_are_those_of_float32(student):
    half = half_precision(student)
    assert computes_in_half(half)
    assert not computes_in_half(student)
    assert interface(half) == interface(student)
    assert half.ByteSize() < 0.51 * student.ByteSize()
    feeds, names = {"images": images()}, ["class_ids", "logits"]
    labels, logits = run(student, feeds, names)
    half_labels, half_logits = run(half, feeds, names)
    assert (half_labels.dtype, half_logits.dtype) == (np.uint8, np.float32)
    # One rounding is 2 ** -11; those of the layers add up like noise.
    largest = np.abs(logits).max()
    assert np.abs(half_logits - logits).max() < 2**-8 * largest
    # All pixels, nearly tied ones included; and where the two best classes differ by more than the
    # spacing of float16 at the largest logit no label differs.
    assert (half_labels == labels).mean() >= 0.995
    second, best = np.moveaxis(np.sort(logits, axis=-1)[..., -2:], -1, 0)
    clear = best - second > 2**-9 * largest
    assert clear.mean() > 0.95
    np.testing.assert_array_equal(half_labels[clear], labels[clear])


def test_images_are_normalised_in_float32(student):
    half = half_precision(student)
    first = next(node for node in half.graph.node if node.op_type == "Conv")
    (cast,) = [node for node in half.graph.node if first.input[0] in node.output]
    assert cast.op_type == "Cast"
    half.graph.output.append(onnx.ValueInfoProto(name=cast.input[0]))
    (normalised,) = run(half, {"images": images()}, [cast.input[0]])
    expected = (images() / 255.0 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised, expected.transpose(0, 3, 1, 2), atol=2e-6)


def test_casts_are_those_of_the_images_and_the_outputs(student):
    def casts(model):
        return sum(node.op_type == "Cast" for node in model.graph.node)

    # One before the first convolution, one behind the logits.
    assert casts(half_precision(student)) == casts(student) + 2


def convolved_and_resized(shape, resize):
    """`features` -> `{"resized": ...}` by way of a convolution and `resize`."""
    keras.utils.set_random_seed(0)
    convolution = keras.layers.Conv2D(3, 3, padding="same")
    convolution.build((None, None, None, 3))

    @tf.function(autograph=False)
    def function(features):
        return {"resized": resize(convolution(features))}

    specification = tf.TensorSpec(shape, tf.float32, name="features")
    return onnx_model(function.get_concrete_function(specification)), convolution


@pytest.mark.parametrize(("old", "new"), [(7, 15), (15, 7), (8, 64), (29, 59), (13, 97)])
def test_every_resize_arrives_at_its_size(old, new):
    model, _owner = convolved_and_resized(
        (1, old, old + 1, 3), lambda maps: resize_bilinear(maps, (new, new + 3))
    )
    half = half_precision(model)
    features = np.random.default_rng(0).random((1, old, old + 1, 3), np.float32)
    (expected,) = run(model, {"features": features})
    (received,) = run(half, {"features": features})
    assert received.shape == (1, new, new + 3, 3)
    np.testing.assert_allclose(received, expected, atol=2**-9 * np.abs(expected).max())


def test_sizes_that_float16_cannot_hold_stay_exact():
    def double(maps):
        return resize_bilinear(maps, (2 * tf.shape(maps)[1], 2 * tf.shape(maps)[2]))

    model, _owner = convolved_and_resized((1, None, None, 3), double)
    half = half_precision(model)
    # float16 has no 4102.
    features = np.random.default_rng(0).random((1, 4, 2051, 3), np.float32)
    (expected,) = run(model, {"features": features})
    (received,) = run(half, {"features": features})
    assert received.shape == expected.shape == (1, 8, 4102, 3)
    np.testing.assert_allclose(received, expected, atol=2**-9 * np.abs(expected).max())


def test_the_model_is_left_alone(student):
    before = student.SerializeToString()
    half_precision(student)
    assert student.SerializeToString() == before


def test_a_model_in_float16_and_a_broken_one_are_refused(student):
    with pytest.raises(ValueError, match="already computes in float16; convert the float32 model"):
        half_precision(half_precision(student))
    broken = onnx.ModelProto()
    broken.CopyFrom(student)
    broken.graph.node[-1].op_type = "Nothing"
    with pytest.raises(ValueError, match=r"cannot be written in float16: .*Nothing.*\.$"):
        half_precision(broken)
