"""Contract of every registered search space with exporting, which needs TensorFlow."""

import types

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf  # noqa: F401 (the SavedModel)

from keras_fasterseg.run.network_export import export_network
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.registry import own_runtime
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.cost import network_work
from tests.conformance.spaces import CLASSES, SIZE, genotypes
from tests.stand_in import assert_same_classes, random_images


@pytest.fixture(scope="module")
def exports(space, tmp_path_factory):
    """A network with its SavedModel and its ONNX file."""
    keras.utils.set_random_seed(0)
    network = space.build(genotypes(space)[0], CLASSES, auxiliary_heads=True)
    for weight in network.weights:
        if weight.path.endswith(("moving_mean", "beta")):
            weight.assign(0.1 * keras.random.normal(weight.shape))
    folder = tmp_path_factory.mktemp("exports")
    settings = {
        "saved_model": ExportSettings(),
        "onnx": ExportSettings("onnx", input_size=SIZE),
    }
    found = {
        name: find_artefact(export_network(network, folder / name, settings=each))
        for name, each in settings.items()
    }
    return types.SimpleNamespace(network=network, **found)


def test_exports_answer_as_the_network_does(exports):
    network, images = exports.network, random_images(2, *SIZE)
    deployed = network.without_auxiliary_heads()
    logits = KerasRunner(deployed, network.mean, network.std).logits(images)
    for artefact in (exports.saved_model, exports.onnx):
        runner = own_runtime(artefact.format).load(artefact.path, None)
        ids = np.concatenate([runner(image[None]) for image in images])
        assert_same_classes(ids, logits)
        assert artefact.metadata["genotype"] == network.genotype.to_json()


def test_multiply_accumulates_are_those_of_the_onnx_file(exports):
    graph = onnx.shape_inference.infer_shapes(onnx.load(exports.onnx.path)).graph
    kernels = {each.name: each.dims for each in graph.initializer}
    sizes = {
        each.name: [dimension.dim_value for dimension in each.type.tensor_type.shape.dim]
        for each in (*graph.value_info, *graph.output)
    }
    found = sum(
        np.prod(kernels[node.input[1]]) * np.prod(sizes[node.output[0]][-2:])
        for node in graph.node
        if node.op_type == "Conv"
    )
    assert network_work(exports.network.genotype, SIZE, CLASSES).macs == found
