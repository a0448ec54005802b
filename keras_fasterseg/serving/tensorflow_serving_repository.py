"""TensorFlow Serving's repository: version folders and the two files that its flags name."""

import dataclasses
import pathlib
import shutil
from collections.abc import Iterable, Sequence

from keras_fasterseg.files import atomic_path, write_text
from keras_fasterseg.runtimes.saved_model_format import WARMUP_FILE, is_saved_model
from keras_fasterseg.serving.versions import versions

MODELS_CONFIG = "models.config"
BATCHING_CONFIG = "batching.config"

DEFAULTS = {"max_batch_size": 8, "timeout_ms": 2.0, "threads": 2, "max_enqueued_batches": 64}
"""Defaults of batching parameters that are not given."""

FLAGS = {
    "--max_batch_size": "max_batch_size",
    "--batch_timeout_ms": "timeout_ms",
    "--batch_threads": "threads",
    "--max_enqueued_batches": "max_enqueued_batches",
}
"""The batching parameters by the flags of `tools.serving.prepare`."""


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """How a server puts waiting requests together, so that they share a run of the network.

    Only images of one size go together. None takes the value in `DEFAULTS`, wherever the server
    and the network have such a thing; a value that cannot be had is refused.

    Attributes:
        max_batch_size: Images a batch.
        timeout_ms: How long the first image waits for others, in milliseconds.
        threads: Batches that are computed at once.
        max_enqueued_batches: Batches that may wait; what comes beyond is turned away, and a client
            of this package comes again.
    """

    max_batch_size: int | None = None
    timeout_ms: float | None = None
    threads: int | None = None
    max_enqueued_batches: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < (0 if name == "timeout_ms" else 1):
                raise ValueError(f"`{name}` is out of its range. Received: {value}")

    def value(self, name: str) -> float:
        """The attribute of that name, or what is taken in its place."""
        own = getattr(self, name)
        return DEFAULTS[name] if own is None else own

    def given(self) -> list[str]:
        """The flags of `tools.serving.prepare` for what is not None."""
        return [flag for flag, name in FLAGS.items() if getattr(self, name) is not None]

    def tensorflow_serving_text(self) -> str:
        """The file for `--batching_parameters_file`."""
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
    """Copies the SavedModel to the version folder `target` and writes the configuration anew.

    Raises:
        ValueError: The SavedModel is damaged or was not exported by this package, it takes another
            size than that of the warm-up or a fixed number of images, which no batching can be for,
            or a size is below 32.
    """
    # Here, since flags need the parameters above and no TensorFlow.
    from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
    from keras_fasterseg.serving.warmup import warmup_images, write_warmup_requests

    # What a server would find out when it is too late.
    runner = SavedModelRunner(export)
    runner.load()
    if runner.batch_size is not None and batching.given():
        raise ValueError(
            f"The SavedModel takes exactly {runner.batch_size} images a call, so a server cannot "
            f"put requests together; leave {' and '.join(batching.given())} out, or export the "
            "network with --format=saved_model."
        )
    for size in warmup_sizes:
        if runner.input_size not in (None, size):
            height, width = runner.input_size
            raise ValueError(
                f"The SavedModel takes images of {height}x{width} alone. Received: "
                f"--warmup_size={size[0]}x{size[1]}"
            )
    batches = [warmup_images(size) for size in warmup_sizes]
    model, repository = target.parent, target.parent.parent
    with atomic_path(target) as temporary:
        shutil.copytree(export, temporary)
        # Those of another model's name, if the export comes from a repository.
        (temporary / WARMUP_FILE).unlink(missing_ok=True)
        if batches:
            write_warmup_requests(temporary / WARMUP_FILE, model.name, batches)
    write_text(repository / BATCHING_CONFIG, batching.tensorflow_serving_text())
    write_text(repository / MODELS_CONFIG, models_config(served_models(repository), mount))


def served_models(repository: pathlib.Path) -> list[str]:
    """Names of the folders in a repository that have a version with a SavedModel, sorted."""
    return sorted(
        model.name
        for model in repository.iterdir()
        if any(is_saved_model(model / str(version)) for version in versions(model))
    )


def models_config(names: Iterable[str], mount: str) -> str:
    """The file for `--model_config_file`; of every model the latest version is served.

    Args:
        names: Of the models, which are also those of their folders.
        mount: Where the server finds the repository.
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
