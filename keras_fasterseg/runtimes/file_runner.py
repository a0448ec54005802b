"""Base class of runners for graph files: input shape, manifest, digest."""

import abc
from collections.abc import Mapping, Sequence

from keras_fasterseg.available_cores import check_threads
from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.runtimes.base import Runner, genotype_fact
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS

Shape = Sequence[int | None]


class FileRunner(Runner):
    """A runner for a graph file, which reads sizes and outputs from the graph.

    A subclass sets `runtime` and `formats`. Its `load` calls `_set_interface` once.

    Args:
        path: The file or the folder of the export.
        threads: Threads per call; None leaves the choice to the runtime.

    Raises:
        FileNotFoundError: `path` does not exist.
        ValueError: The file has another format, or `threads` is below 1. `load` raises it for a
            file that is damaged or was not exported by this package.
    """

    runtime: str
    formats: tuple[str, ...]

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        artefact = find_artefact(path)
        if artefact.format not in self.formats:
            raise ValueError(
                f"The runtime {self.runtime} runs {' and '.join(self.formats)}. Received: "
                f"{artefact.path}, which is {artefact.format}; export the network for this runtime."
            )
        check_threads(threads)
        self.path = artefact.path
        self._artefact = artefact
        self._metadata = artefact.metadata
        self._threads = threads
        self._input_shape: Shape = ()
        self._outputs: tuple[str, ...] = ()

    @property
    def input_size(self) -> tuple[int, int] | None:
        self.load()
        height, width = self._input_shape[1:3]
        return None if height is None or width is None else (height, width)

    @property
    def batch_size(self) -> int | None:
        self.load()
        return self._input_shape[0]

    @property
    def outputs(self) -> tuple[str, ...]:
        self.load()
        return self._outputs

    def describe(self) -> dict[str, object]:
        self.load()
        return {
            "runtime": self.runtime,
            "version": self._version(),
            "precision": self._metadata.get("precision", "unknown"),
            "threads": self._used_threads(),
            "device": self._device(),
            "artefact_sha256": self._artefact.digest(),
            **genotype_fact(self._metadata),
        }

    @abc.abstractmethod
    def _version(self) -> str:
        """Name and version of the library."""

    @abc.abstractmethod
    def _used_threads(self) -> int:
        """Number of threads that a call actually uses."""

    @abc.abstractmethod
    def _device(self) -> str:
        """Name of the device that runs the network."""

    def _set_interface(
        self, inputs: Mapping[str, tuple[Shape, bool]], outputs: Sequence[str]
    ) -> None:
        """Checks that input and outputs match this package's exports, and stores them.

        Args:
            inputs: By name, the shape `(batch, height, width, 3)`, None for free sizes, and whether
                the input is uint8.
            outputs: Names of the outputs.

        Raises:
            ValueError: They do not match.
        """
        known = tuple(name for name in (CLASS_IDS, LOGITS) if name in outputs)
        shape, is_bytes = inputs.get(INPUT_NAME, ((), False))
        if len(inputs) != 1 or len(shape) != 4 or not is_bytes or not known:
            raise ValueError(
                f"{self.path} was not exported by keras_fasterseg: it must have the uint8 input "
                f"{INPUT_NAME}, batch x height x width x 3, and an output {CLASS_IDS} or "
                f"{LOGITS}. Received: inputs {', '.join(inputs)}; outputs {', '.join(outputs)}"
            )
        self._input_shape, self._outputs = tuple(shape), known

    def _damaged(self, error: Exception) -> ValueError:
        """The error to raise from `error` for a file that the runtime cannot read."""
        reason = str(error).strip().partition("\n")[0]
        return ValueError(f"{self.path} cannot be loaded; export it again. ({reason})")
