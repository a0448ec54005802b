"""The protocols by their names."""

from typing import Any

from keras_fasterseg.serving.client import SegmentationClient
from keras_fasterseg.serving.grpc_client import GrpcClient
from keras_fasterseg.serving.rest_client import RestClient
from keras_fasterseg.serving.triton_client import TritonClient

CLIENTS: dict[str, type[SegmentationClient]] = {
    "rest": RestClient,
    "grpc": GrpcClient,
    "triton": TritonClient,
}


def connect(protocol: str, server: str, model: str, **options: Any) -> SegmentationClient:
    """A client that speaks `protocol`; nothing is sent yet.

    Args:
        protocol: `rest` or `grpc` of TensorFlow Serving, or `triton`.
        server: Host and port; without a port, that of the protocol.
        model: The name by which the server knows the model.
        **options: `version`, `timeout_s` and `attempts` of `SegmentationClient`.

    Raises:
        RuntimeNotInstalledError: A package of the extra `serving` is missing.
        ValueError: There is no such protocol, or an option is out of its range.
    """
    if protocol not in CLIENTS:
        raise ValueError(
            f"`protocol` must be one of {', '.join(CLIENTS)}. Received: protocol={protocol!r}"
        )
    return CLIENTS[protocol](server, model, **options)
