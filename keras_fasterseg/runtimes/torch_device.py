"""PyTorch's device and threads, for runners on Keras's backend torch."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch  # pyright: ignore[reportMissingImports]
from keras.src.backend.torch.core import get_device

from keras_fasterseg.available_cores import available_cores, check_threads


def version() -> str:
    """Name and version of the backend."""
    return f"torch {torch.__version__}"


def request_threads(threads: int | None) -> None:
    """Sets the number of threads inside an operation on the CPU.

    None keeps PyTorch's number, lowered to what the CPU quota allows.

    Raises:
        ValueError: `threads` is below 1.
    """
    check_threads(threads)
    torch.set_num_threads(threads or min(torch.get_num_threads(), available_cores().threads))


def intra_op_threads() -> int:
    """Number of threads that PyTorch uses inside an operation on the CPU."""
    return torch.get_num_threads()


def device_name() -> str:
    """Name of the GPU that Keras uses, or `CPU` without one."""
    if get_device().startswith("cuda"):
        return torch.cuda.get_device_name(get_device())
    return get_device().upper()


def synchronize(result: Any = None) -> None:
    """Waits until the GPU, if there is one, has finished all its work."""
    del result  # PyTorch waits for whole devices.
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def compiled(
    function: Callable[..., Any], variables: Sequence[keras.Variable]
) -> Callable[..., Any]:
    """`function` without gradients; PyTorch runs its operations one by one, nothing is compiled.

    Args:
        function: A function of tensors that reads `variables`.
        variables: Keras variables; PyTorch reads them by itself.
    """
    del variables

    def run(*arguments):
        with torch.inference_mode():
            return function(*arguments)

    return run
