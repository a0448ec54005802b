"""The flags of all tools that ask a server, and the client that they describe."""

from absl import flags

from keras_fasterseg.serving.client import ATTEMPTS, TIMEOUT_S, SegmentationClient
from keras_fasterseg.serving.connect import CLIENTS, connect


def define_client(attempts: int = ATTEMPTS, values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines `--server`, `--protocol`, `--model`, `--version`, `--timeout` and `--attempts`.

    Args:
        attempts: How often a request is sent at most, unless the flag says otherwise.
        values: Where to define them.
    """
    flags.DEFINE_string(
        "server",
        None,
        "Host and port; without a port, the protocol's own: 8501 for rest, 8500 for grpc (both of "
        "TensorFlow Serving), 8000 for triton.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "protocol",
        "rest",
        list(CLIENTS),
        "rest or grpc of TensorFlow Serving, or triton, which is KServe's of version 2 over HTTP.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "model", None, "The model's name on the server.", required=True, flag_values=values
    )
    flags.DEFINE_integer(
        "version",
        None,
        "The model's version; unset: the server's choice.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_float("timeout", TIMEOUT_S, "Seconds to wait for an answer.", flag_values=values)
    flags.DEFINE_integer(
        "attempts",
        attempts,
        "How often a request is sent at most, while the server is not available; gRPC stops at 5.",
        lower_bound=1,
        flag_values=values,
    )


def read_client(values: flags.FlagValues = flags.FLAGS) -> SegmentationClient:
    """A client as the parsed flags describe it."""
    return connect(
        values.protocol,
        values.server,
        values.model,
        version=values.version,
        timeout_s=values.timeout,
        attempts=values.attempts,
    )
