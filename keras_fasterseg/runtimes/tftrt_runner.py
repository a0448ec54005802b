"""Runs a SavedModel converted by TF-TRT: TensorFlow with TensorRT engines in its graph."""

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.saved_model_format import OUTPUT_NAMES
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
from keras_fasterseg.runtimes.tftrt_graph import ENGINE, check_tftrt, engine_precisions


class TfTrtRunner(SavedModelRunner):
    """Runs the SavedModel's signatures in TensorFlow, and their engines in TensorRT.

    Args:
        path: The folder of the converted SavedModel.
        threads: As for `SavedModelRunner`.

    Raises:
        RuntimeNotInstalledError: TF-TRT cannot be used here.
        ValueError: See `SavedModelRunner`; or, by `load`, a signature has no engine.
    """

    runtime = "tftrt"

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        check_tftrt()
        super().__init__(path, threads)
        self._precisions: set[str] = set()

    def load(self) -> None:
        if self._precisions:
            return
        super().load()
        precisions = {
            name: engine_precisions(self._loaded.signatures[name].graph.as_graph_def())
            for name in OUTPUT_NAMES
        }
        if not all(precisions.values()):
            self._loaded = None
            without = ", ".join(sorted(name for name, found in precisions.items() if not found))
            raise ValueError(
                f"The SavedModel at {self.path} has no {ENGINE} behind {without}: convert it with "
                "TF-TRT first, or use the runtime saved_model."
            )
        self._precisions = set().union(*precisions.values())

    def describe(self) -> dict[str, object]:
        self.load()
        # Read from the engines: a copy of the SavedModel may have lost its manifest.
        return {**super().describe(), "precision": "+".join(sorted(self._precisions))}
