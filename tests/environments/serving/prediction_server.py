"""A gRPC PredictionService on 127.0.0.1: the official messages, answers by a SavedModelRunner.

python -m tests.environments.serving.prediction_server FOLDER NAME PORT MAXIMUM_BYTES
"""

import concurrent.futures
import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, with the codes that TensorFlow Serving gives."""

    def __init__(self, folder: str, name: str) -> None:
        self._runner = SavedModelRunner(folder)
        self._runner.load()
        self._name = name

    def Predict(self, request, context):  # noqa: N802
        spec = request.model_spec
        if spec.name != self._name or (spec.HasField("version") and spec.version.value != 1):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec}")
        if set(request.inputs) != {"images"}:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "input must be images")
        try:
            class_ids = self._runner(tf.make_ndarray(request.inputs["images"]))
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(spec)
        # TensorFlow Serving answers with numbers unless it is told to answer with bytes.
        proto = response.outputs["class_ids"]
        proto.dtype = tf.uint8.as_datatype_enum
        proto.tensor_shape.CopyFrom(tf.TensorShape(class_ids.shape).as_proto())
        proto.int_val.extend(class_ids.ravel().tolist())
        return response


def main() -> None:
    folder, name, port, maximum_bytes = sys.argv[1:]
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(8),
        options=[("grpc.max_receive_message_length", int(maximum_bytes))],
    )
    service = PredictionService(folder, name)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
