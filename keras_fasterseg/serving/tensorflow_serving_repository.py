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


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """How a server puts waiting requests together, so that they share a run of the network.

    Only images of one size go together.

    Attributes:
        max_batch_size: Images a batch.
        timeout_ms: How long the first image waits for others, in milliseconds.
        threads: Batches that are computed at once.
        max_enqueued_batches: Batches that may wait; what comes beyond is turned away, and a client
            of this package comes again.
    """

    max_batch_size: int = 8
    timeout_ms: float = 2.0
    threads: int = 2
    max_enqueued_batches: int = 64

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value < (0 if field.name == "timeout_ms" else 1):
                raise ValueError(f"`{field.name}` is out of its range. Received: {value}")

    def tensorflow_serving_text(self) -> str:
        """The file for `--batching_parameters_file`."""
        return (
            f"max_batch_size {{ value: {self.max_batch_size} }}\n"
            f"batch_timeout_micros {{ value: {round(1e3 * self.timeout_ms)} }}\n"
            f"num_batch_threads {{ value: {self.threads} }}\n"
            f"max_enqueued_batches {{ value: {self.max_enqueued_batches} }}\n"
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
        ValueError: The SavedModel is damaged or was not exported by this package, or a size of the
            warm-up is below 32.
    """
    # Here, since flags need the parameters above and no TensorFlow.
    from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
    from keras_fasterseg.serving.warmup import warmup_images, write_warmup_requests

    # What a server would find out when it is too late.
    SavedModelRunner(export).load()
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
