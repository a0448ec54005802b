"""Clients by the names of their protocols."""

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
    """Returns a client for `protocol`, without sending anything yet.

    Args:
        protocol: `rest` or `grpc` of TensorFlow Serving, or `triton`.
        server: Host and port; the default port is the protocol's.
        model: Name of the model on the server.
        **options: `version`, `timeout_s` and `attempts` of `SegmentationClient`.

    Raises:
        RuntimeNotInstalledError: A package of the extra `serving` is missing, or TensorFlow for
            gRPC.
        ValueError: Unknown protocol, or an option is out of range.
    """
    if protocol not in CLIENTS:
        raise ValueError(
            f"`protocol` must be one of {', '.join(CLIENTS)}. Received: protocol={protocol!r}"
        )
    return CLIENTS[protocol](server, model, **options)
