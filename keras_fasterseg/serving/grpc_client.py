"""gRPC client for TensorFlow Serving and other servers with its PredictionService."""

import json
from typing import Any

import numpy as np

from keras_fasterseg.runtimes.optional_import import optional_import, require_tensorflow
from keras_fasterseg.runtimes.signature import CLASS_IDS
from keras_fasterseg.serving.client import SegmentationClient, with_port
from keras_fasterseg.serving.errors import ServingError, TransientServingError
from keras_fasterseg.serving.http import one_line
from keras_fasterseg.serving.predict_request import predict_request
from keras_fasterseg.serving.prediction_messages import PREDICT_METHOD, PredictResponse

_OPTIONS = (
    # The default is 4 MiB, less than the class ids of a large image.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # The default is 256 KiB; longer requests would not be retried.
    ("grpc.per_rpc_retry_buffer_size", 2**31 - 1),
)
# gRPC's own limit; it logs an error if more are requested.
_MOST_ATTEMPTS = 5

# gRPC targets other than host and port; targets with `://` are recognised separately.
_RESOLVERS = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:")


class GrpcClient(SegmentationClient):
    """Calls `tensorflow.serving.PredictionService/Predict`, without encryption.

    Args:
        server: Host and port, such as `127.0.0.1:8500`, or a gRPC target with a resolver, such as
            `unix:/run/serving`, `dns:models.example:8500` or `ipv4:127.0.0.1:8500`.
        model: See `SegmentationClient`.
        **options: `version`, `timeout_s` and `attempts` of `SegmentationClient`.

    Reference:
        https://github.com/grpc/proposal/blob/master/A6-client-retries.md
        https://github.com/tensorflow/serving/blob/master/tensorflow_serving/apis/prediction_service.proto
        https://github.com/grpc/grpc/blob/master/doc/naming.md
    """

    default_port = 8500

    def __init__(self, server: str, model: str, **options: Any) -> None:
        super().__init__(server, model, **options)
        # It writes and reads TensorProtos.
        require_tensorflow("A client for gRPC", as_backend=False)
        self._grpc = optional_import("grpc", "serving", "A client for gRPC")
        self._channel = self._grpc.insecure_channel(self.server, options=self._options())
        self._method = self._channel.unary_unary(
            PREDICT_METHOD,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=PredictResponse.FromString,
        )

    def _address(self, server: str) -> str:
        return server if server.startswith(_RESOLVERS) else with_port(server, self.default_port)

    def _options(self) -> tuple[tuple[str, Any], ...]:
        if self._attempts == 1:
            return (*_OPTIONS, ("grpc.enable_retries", 0))
        policy = {
            "maxAttempts": min(self._attempts, _MOST_ATTEMPTS),
            "initialBackoff": "0.5s",
            "maxBackoff": "8s",
            "backoffMultiplier": 2,
            # The only code that invites a retry: server unreachable, not ready, or its queue full.
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
        return (*_OPTIONS, ("grpc.service_config", json.dumps(config)))

    def _predict(self, images: np.ndarray) -> Any:
        # Imported here, as in `predict_request`.
        import tensorflow as tf
        from google.protobuf.message import DecodeError
        from tensorflow.core.framework import tensor_pb2

        # Created when the module is imported, so type checkers do not see it.
        parse = tensor_pb2.TensorProto.FromString  # pyright: ignore[reportAttributeAccessIssue]
        request = predict_request(images, self.model, self.version)
        try:
            response = self._method(request, timeout=self._timeout_s)
        except self._grpc.RpcError as error:
            raise self._told(error) from error
        if CLASS_IDS not in response.outputs:
            raise ServingError(
                f"{self.server} answered for the model {self.model} without {CLASS_IDS}; check "
                "that it serves an export of this package. Received outputs: "
                f"{', '.join(sorted(response.outputs)) or 'nothing'}"
            )
        try:
            return tf.make_ndarray(parse(response.outputs[CLASS_IDS]))
        except (DecodeError, ValueError, TypeError) as error:
            raise ServingError(
                f"{self.server} answered for the model {self.model} with {CLASS_IDS} that are not "
                f"a valid tensor ({one_line(str(error))})."
            ) from error

    def _told(self, error: Any) -> ServingError:
        status, codes = error.code(), self._grpc.StatusCode
        reason = one_line(error.details() or "no reason given")
        if status == codes.DEADLINE_EXCEEDED:
            return ServingError(f"{self.server} did not answer within {self._timeout_s:g} s.")
        if status == codes.UNAVAILABLE:
            return TransientServingError(f"{self.server} is not available ({reason}).")
        return ServingError(f"{self.server} answered {status.name}: {reason}")

    def close(self) -> None:
        self._channel.close()
