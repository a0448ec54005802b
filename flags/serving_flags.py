"""Flags of the tools that send requests to a model server, and the client they describe."""

from absl import flags

from keras_fasterseg.serving.client import ATTEMPTS, TIMEOUT_S, SegmentationClient
from keras_fasterseg.serving.connect import CLIENTS, connect


def define_client(attempts: int = ATTEMPTS, values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines `--server`, `--protocol`, `--model`, `--version`, `--timeout` and `--attempts`.

    Args:
        attempts: Default of `--attempts`.
        values: The flags to add them to.
    """
    flags.DEFINE_string(
        "server",
        None,
        "Host and port of the server. Default port: 8501 for rest, 8500 for grpc (both TensorFlow "
        "Serving), 8000 for triton.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "protocol",
        "rest",
        list(CLIENTS),
        "rest or grpc (TensorFlow Serving), or triton (KServe protocol version 2 over HTTP).",
        flag_values=values,
    )
    flags.DEFINE_string(
        "model", None, "Name of the model on the server.", required=True, flag_values=values
    )
    flags.DEFINE_integer(
        "version",
        None,
        "Version of the model. Default: the server chooses.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_float("timeout", TIMEOUT_S, "Seconds to wait for an answer.", flag_values=values)
    flags.DEFINE_integer(
        "attempts",
        attempts,
        "Maximum number of times that a request is sent while the server is unavailable; gRPC "
        "stops at 5.",
        lower_bound=1,
        flag_values=values,
    )


def read_client(values: flags.FlagValues = flags.FLAGS) -> SegmentationClient:
    """Returns the client that the parsed flags describe."""
    return connect(
        values.protocol,
        values.server,
        values.model,
        version=values.version,
        timeout_s=values.timeout,
        attempts=values.attempts,
    )
