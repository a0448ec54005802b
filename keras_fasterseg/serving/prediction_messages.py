"""Messages of TensorFlow Serving's PredictionService that this package uses.

The package tensorflow-serving-api has all messages, but installs the full TensorFlow next to
tensorflow-cpu. The few messages here are declared by hand, with the original field numbers, so that
the bytes are the same:
https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis

They are in a separate pool, so that they do not clash with tensorflow-serving-api.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "tensorflow.serving"
PREDICT_METHOD = f"/{PACKAGE}.PredictionService/Predict"

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "bytes": _Field.TYPE_BYTES, "int64": _Field.TYPE_INT64}

# On the wire, an embedded message looks the same as its bytes. TensorProtos stay bytes here;
# TensorFlow creates and parses them.
_TENSORS = "map<string, bytes>"

_FIELDS: dict[str, tuple[tuple[str, int, str], ...]] = {
    # google.protobuf.Int64Value, which distinguishes 0 from unset.
    "Version": (("value", 1, "int64"),),
    "ModelSpec": (
        ("name", 1, "string"),
        ("version", 2, "Version"),
        ("signature_name", 3, "string"),
    ),
    "PredictRequest": (
        ("model_spec", 1, "ModelSpec"),
        ("inputs", 2, _TENSORS),
        ("output_filter", 3, "repeated string"),
    ),
    "PredictResponse": (("outputs", 1, _TENSORS), ("model_spec", 2, "ModelSpec")),
    "PredictLog": (("request", 1, "PredictRequest"), ("response", 2, "PredictResponse")),
    # predict_log belongs to a `oneof`, which the wire format does not show.
    "PredictionLog": (("predict_log", 6, "PredictLog"),),
}


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if kind == _TENSORS:
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, "bytes")
        field.label = _Field.LABEL_REPEATED
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{message.name}.{entry.name}"
        return
    if kind.startswith("repeated "):
        field.label = _Field.LABEL_REPEATED
        kind = kind.removeprefix("repeated ")
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="keras_fasterseg/prediction_messages.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _FIELDS
    }


_CLASSES = _message_classes()

PredictRequest: Any = _CLASSES["PredictRequest"]
PredictResponse: Any = _CLASSES["PredictResponse"]
PredictionLog: Any = _CLASSES["PredictionLog"]
