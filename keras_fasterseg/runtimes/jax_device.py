"""JAX's device, threads and compiler, for runners on Keras's backend jax."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import keras

# JAX has no public function for this.
from jax._src.xla_bridge import (  # pyright: ignore[reportMissingImports]
    backends_are_initialized,
)

from keras_fasterseg.available_cores import available_cores, check_threads

# XLA reads it once, when JAX is used first.
_THREADS = "NPROC"


def version() -> str:
    """Name and version of the backend."""
    return f"jax {jax.__version__}"


def request_threads(threads: int | None) -> None:
    """Requests `threads` threads inside an operation on the CPU.

    None uses one per available core, within the CPU quota, unless JAX already runs.

    Raises:
        ValueError: `threads` is below 1, or JAX already runs with another number.
    """
    check_threads(threads)
    if not backends_are_initialized():
        if threads is not None or _THREADS not in os.environ:
            os.environ[_THREADS] = str(threads or available_cores().threads)
    elif threads not in (None, intra_op_threads()):
        raise ValueError(
            f"JAX already runs with {intra_op_threads()} threads and cannot change to "
            f"threads={threads}; set {_THREADS}={threads} before the program starts."
        )


def intra_op_threads() -> int:
    """Number of threads that JAX uses inside an operation on the CPU."""
    requested = os.environ.get(_THREADS, "")
    return int(requested) if requested.isdigit() else available_cores().logical


def device_name() -> str:
    """Name of the first GPU that JAX sees, or `CPU` without one."""
    device = jax.devices()[0]
    return "CPU" if device.platform == "cpu" else device.device_kind


def synchronize(result: Any = None) -> None:
    """Waits until `result` is computed."""
    jax.block_until_ready(result)


def compiled(
    function: Callable[..., Any], variables: Sequence[keras.Variable]
) -> Callable[..., Any]:
    """Compiles `function` once for each shape of its arguments.

    Args:
        function: A function of tensors that reads `variables`.
        variables: Keras variables, read at every call.
    """

    @jax.jit
    def run(values, *arguments):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return function(*arguments)

    return lambda *arguments: run([variable.value for variable in variables], *arguments)
