"""TensorFlow Serving's repository: version folders and two configuration files."""

import dataclasses
import pathlib
import shutil
from collections.abc import Iterable, Sequence

from keras_fasterseg.files import atomic_path, write_text
from keras_fasterseg.runtimes.optional_import import require_tensorflow
from keras_fasterseg.runtimes.saved_model_format import WARMUP_FILE, is_saved_model
from keras_fasterseg.serving.versions import versions

MODELS_CONFIG = "models.config"
BATCHING_CONFIG = "batching.config"

DEFAULTS = {"max_batch_size": 8, "timeout_ms": 2.0, "threads": 2, "max_enqueued_batches": 64}
"""Defaults of batching parameters."""

FLAGS = {
    "--max_batch_size": "max_batch_size",
    "--batch_timeout_ms": "timeout_ms",
    "--batch_threads": "threads",
    "--max_enqueued_batches": "max_enqueued_batches",
}
"""The batching parameters by the flags of `tools.serving.prepare`."""


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """Settings with which a server batches waiting requests.

    Only images of equal size share a batch. None uses the value in `DEFAULTS` if the server and the
    network support the setting. Setting a value that they do not support is an error.

    Attributes:
        max_batch_size: Maximum number of images per batch.
        timeout_ms: Maximum time that the first image waits for others, in milliseconds.
        threads: Number of batches computed in parallel.
        max_enqueued_batches: Maximum number of waiting batches. The server rejects further
            requests, and clients of this package retry them.
    """

    max_batch_size: int | None = None
    timeout_ms: float | None = None
    threads: int | None = None
    max_enqueued_batches: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 0 if name == "timeout_ms" else 1
            if value is not None and value < least:
                raise ValueError(f"`{name}` must be at least {least}. Received: {value}")

    def value(self, name: str) -> float:
        """The attribute of that name, or its default if it is None."""
        own = getattr(self, name)
        return DEFAULTS[name] if own is None else own

    def given(self) -> list[str]:
        """Flags of `tools.serving.prepare` for the attributes that are not None."""
        return [flag for flag, name in FLAGS.items() if getattr(self, name) is not None]

    def tensorflow_serving_text(self) -> str:
        """Contents of the file for `--batching_parameters_file`."""
        return (
            f"max_batch_size {{ value: {self.value('max_batch_size')} }}\n"
            f"batch_timeout_micros {{ value: {round(1e3 * self.value('timeout_ms'))} }}\n"
            f"num_batch_threads {{ value: {self.value('threads')} }}\n"
            f"max_enqueued_batches {{ value: {self.value('max_enqueued_batches')} }}\n"
        )


def add_saved_model(
    export: pathlib.Path,
    target: pathlib.Path,
    batching: BatchingParameters,
    warmup_sizes: Sequence[tuple[int, int]],
    mount: str,
) -> None:
    """Copies the SavedModel to the version folder `target` and rewrites the configuration.

    Raises:
        RuntimeNotInstalledError: TensorFlow, which reads the SavedModel, is not installed.
        ValueError: The SavedModel is damaged or was not exported by this package; its size differs
            from a warm-up size; batching is set although its number of images is fixed; or a
            warm-up size is below 32.
    """
    require_tensorflow("A repository of TensorFlow Serving", as_backend=False)
    # Imported here: flags use the parameters above without TensorFlow.
    from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
    from keras_fasterseg.serving.warmup import warmup_images, write_warmup_requests

    # Finds problems now, before a server would.
    runner = SavedModelRunner(export)
    runner.load()
    if runner.batch_size is not None and batching.given():
        raise ValueError(
            f"The SavedModel needs exactly {runner.batch_size} images per call, so a server cannot "
            f"batch requests; omit {' and '.join(batching.given())}, or export the network with "
            "--format=saved_model."
        )
    for size in warmup_sizes:
        if runner.input_size not in (None, size):
            height, width = runner.input_size
            raise ValueError(
                f"The SavedModel accepts only images of {height}x{width}. Received: "
                f"--warmup_size={size[0]}x{size[1]}"
            )
    batches = [warmup_images(size) for size in warmup_sizes]
    model, repository = target.parent, target.parent.parent
    with atomic_path(target) as temporary:
        shutil.copytree(export, temporary)
        # An export from a repository may have warm-up requests with another model's name.
        (temporary / WARMUP_FILE).unlink(missing_ok=True)
        if batches:
            write_warmup_requests(temporary / WARMUP_FILE, model.name, batches)
    write_text(repository / BATCHING_CONFIG, batching.tensorflow_serving_text())
    write_text(repository / MODELS_CONFIG, models_config(served_models(repository), mount))


def served_models(repository: pathlib.Path) -> list[str]:
    """Names of the models in a repository with a SavedModel in at least one version, sorted."""
    return sorted(
        model.name
        for model in repository.iterdir()
        if any(is_saved_model(model / str(version)) for version in versions(model))
    )


def models_config(names: Iterable[str], mount: str) -> str:
    """Contents of the file for `--model_config_file`; it serves the latest version of every model.

    Args:
        names: Names of the models and of their folders.
        mount: Path at which the server finds the repository.
    """
    entries = "".join(
        "  config {\n"
        f'    name: "{name}"\n'
        f'    base_path: "{mount.rstrip("/")}/{name}"\n'
        '    model_platform: "tensorflow"\n'
        "  }\n"
        for name in names
    )
    return f"model_config_list {{\n{entries}}}\n"
