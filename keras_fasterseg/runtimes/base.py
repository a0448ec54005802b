"""Interface of all runtimes: image bytes in, class ids out."""

import abc
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS, MINIMUM_SIZE
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import genotype_from_json


class Runner(abc.ABC):
    """A network in one runtime, ready to be evaluated, timed or called.

    A call has two steps, so that the computation can be timed without the copy back:
    `fetch(infer(images))`. A subclass implements `load`, `synchronize`, `describe`, `_infer` and
    `_fetch`. Calling `load` again must have no effect.
    """

    _metadata: Mapping[str, Any] = types.MappingProxyType({})

    # === The network ===

    @property
    def metadata(self) -> dict[str, Any]:
        """The contents of the artefact's manifest, such as `genotype`; empty without one."""
        return dict(self._metadata)

    @property
    def input_size(self) -> tuple[int, int] | None:
        """The height and width of all images; None if they are free. May load the artefact."""
        return None

    @property
    def batch_size(self) -> int | None:
        """The number of images per call; None if it is free. May load the artefact."""
        return None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The available outputs among `class_ids` and `logits`. May load the artefact."""
        return (CLASS_IDS, LOGITS)

    # === Calls ===

    @abc.abstractmethod
    def load(self) -> None:
        """Reads, compiles or traces the network, so that the first call need not wait for it."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The class of every pixel.

        Args:
            images: uint8 RGB images of shape `(batch, height, width, 3)`, sizes at least 32.

        Returns:
            uint8 class ids of shape `(batch, height, width)`.

        Raises:
            ValueError: See `infer`.
        """
        return self.fetch(self.infer(images))

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The logits behind the class ids.

        Args:
            images: As for `__call__`.

        Returns:
            float32 logits of shape `(batch, height, width, num_classes)`.

        Raises:
            ValueError: See `infer`.
        """
        return self.fetch(self.infer(images, LOGITS))

    def infer(self, images: np.ndarray, output: str = CLASS_IDS) -> Any:
        """Starts a call and leaves its result in the runtime's memory.

        Args:
            images: As for `__call__`.
            output: `class_ids` or `logits`.

        Returns:
            A handle for `fetch`, valid until the next `infer`. The result may be incomplete until
            `synchronize` returns.

        Raises:
            ValueError: The dtype or shape of the images does not match the network, the images are
                too small, or the artefact lacks this output.
        """
        check_images(images)
        self.load()
        self._check_output(output)
        self._check_size(images)
        return self._infer(images, output)

    def fetch(self, handle: Any) -> np.ndarray:
        """The complete result for a handle of `infer`, in separate host memory."""
        return self._fetch(handle)

    @abc.abstractmethod
    def synchronize(self) -> None:
        """Waits until the device has finished all its work."""

    @abc.abstractmethod
    def describe(self) -> dict[str, object]:
        """Runner metadata that measurements depend on, as JSON values.

        Returns:
            At least `runtime`, `version`, `precision`, `threads` and `device`; also
            `artefact_sha256` for networks in files, and `genotype` (its id) if it is known.
        """

    @abc.abstractmethod
    def _infer(self, images: np.ndarray, output: str) -> Any:
        """Runs `infer` after the checks, with the network loaded; copies nothing back."""

    @abc.abstractmethod
    def _fetch(self, handle: Any) -> np.ndarray:
        """The result of `_infer`."""

    # === Checks ===

    def _check_output(self, output: str) -> None:
        if output not in (CLASS_IDS, LOGITS):
            raise ValueError(
                f"`output` must be {CLASS_IDS!r} or {LOGITS!r}. Received: output={output!r}"
            )
        if output not in self.outputs:
            raise ValueError(
                f"The artefact has no output {output!r}, only {', '.join(self.outputs)}; export it "
                "again with --output=both."
            )

    def _check_size(self, images: np.ndarray) -> None:
        expected = (self.batch_size, *(self.input_size or (None, None)))
        received = images.shape[:3]
        if any(e not in (None, r) for e, r in zip(expected, received, strict=True)):
            spelled = "x".join("any" if size is None else str(size) for size in expected)
            raise ValueError(
                f"The artefact needs images of batch x height x width = {spelled}. Received: "
                f"{'x'.join(map(str, received))}. Export it for this size with --input_size and "
                "--batch_size, or resize the images."
            )


def class_ids_of(runner: Runner, images: np.ndarray) -> np.ndarray:
    """uint8 class ids of `images`, also for an artefact with logits only; see `Runner`."""
    if CLASS_IDS in runner.outputs:
        return runner(images)
    return runner.logits(images).argmax(axis=-1).astype(np.uint8)


def check_images(images: np.ndarray) -> None:
    """Raises ValueError unless `images` is uint8 `(batch, height, width, 3)`, sizes at least 32."""
    dtype, shape = getattr(images, "dtype", type(images).__name__), np.shape(images)
    if dtype != np.uint8 or len(shape) != 4 or shape[0] < 1 or shape[3] != 3:
        raise ValueError(
            "Images must be a uint8 array of shape (batch, height, width, 3), not normalised. "
            f"Received: dtype {dtype}, shape {shape}"
        )
    if min(shape[1:3]) < MINIMUM_SIZE:
        raise ValueError(
            f"Height and width of the images must be at least {MINIMUM_SIZE}. "
            f"Received: shape {shape}"
        )


def metadata_genotype(metadata: Mapping[str, Any]) -> Genotype | None:
    """The genotype in `metadata`; None if this version finds none it can read."""
    value = metadata.get("genotype")
    if not isinstance(value, dict):
        return None
    try:
        return genotype_from_json(value)
    except (ValueError, KeyError, TypeError):
        # Another program or a later version wrote the artefact; it can still be run.
        return None


def genotype_fact(metadata: Mapping[str, Any]) -> dict[str, object]:
    """`{"genotype": id}` if `metadata` holds a genotype's JSON, else an empty dictionary."""
    genotype = metadata_genotype(metadata)
    return {} if genotype is None else {"genotype": genotype.id}
