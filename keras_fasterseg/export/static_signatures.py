"""Signatures of a SavedModel for one image size, without the arithmetic on shapes."""

from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)
from tensorflow.python.framework.smart_cond import smart_constant_value

from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.signature import check_input_shape

# Types of sizes and conditions.
_SHAPE_DTYPES = (tf.int32, tf.int64, tf.bool)
_AS_THEY_ARE = ("Const", "Placeholder", "Identity")


def static_signatures(
    loaded: Any, input_size: tuple[int, int], batch_size: int = 1
) -> dict[str, Any]:
    """The signatures of `loaded` for one image shape, ready for `tf.saved_model.save`.

    A SavedModel for all sizes computes paddings, resize targets and crops at run time. For a known
    image shape they are constants, and this function makes them so: converters that require static
    shapes then see only convolutions and resizes. Weights become constants too.

    Args:
        loaded: A SavedModel of this package, as returned by `tf.saved_model.load`.
        input_size: Height and width of the images, each at least 32.
        batch_size: Images per call.

    Returns:
        Functions by signature name. Each maps `images`, uint8 `(batch_size, *input_size, 3)`, to
        the outputs by name. They hold no variables.

    Raises:
        ValueError: A size is out of range.
    """
    check_input_shape(input_size, batch_size)
    specification = tf.TensorSpec((batch_size, *input_size, 3), tf.uint8, name=INPUT_NAME)
    return {
        name: _static(signature, specification) for name, signature in loaded.signatures.items()
    }


def _static(signature: Any, specification: tf.TensorSpec) -> Any:
    def call(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return signature(**{INPUT_NAME: images})

    traced = tf.function(call, autograph=False).get_concrete_function(specification)
    # This also inlines function calls, so that all nodes are in one graph.
    frozen = convert_variables_to_constants_v2(traced)
    graph = _with_known_values(frozen)
    names = list(traced.structured_outputs)
    tensors = [tensor.name for tensor in frozen.outputs]

    def static(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = tf.graph_util.import_graph_def(
            graph, input_map={frozen.inputs[0].name: images}, return_elements=tensors, name=""
        )
        return dict(zip(names, outputs, strict=True))

    return tf.function(static, autograph=False).get_concrete_function(specification)


def _with_known_values(function: Any) -> Any:
    """The function's graph with constants for all sizes and conditions that its shapes fix."""
    graph = function.graph.as_graph_def()
    for node in graph.node:
        outputs = function.graph.get_operation_by_name(node.name).outputs
        if node.op in _AS_THEY_ARE or len(outputs) != 1 or outputs[0].dtype not in _SHAPE_DTYPES:
            continue
        value = smart_constant_value(outputs[0])
        if value is None:
            continue
        node.op = "Const"
        node.attr.clear()
        node.attr["dtype"].type = outputs[0].dtype.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, outputs[0].dtype))
        del node.input[:]
    return graph
