"""Copies a SavedModel to a model repository of TensorFlow Serving, or ONNX to one of Triton."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from flags import settings_flags
from keras_fasterseg.serving.model_repository import MOUNT, RepositoryOptions, add_to_repository
from keras_fasterseg.serving.tensorflow_serving_repository import (
    DEFAULTS,
    BatchingParameters,
)

ARTEFACT = flags.DEFINE_string("artefact", None, "Folder of the export.", required=True)
REPOSITORY = flags.DEFINE_string(
    "repository", None, "Folder of the model repository; created if needed.", required=True
)
NAME = flags.DEFINE_string("name", None, "Name of the model in client requests.", required=True)
VERSION = flags.DEFINE_integer(
    "version", None, "Version of the model. Default: the newest version plus 1.", lower_bound=1
)
OTHER_CLASSES = flags.DEFINE_bool(
    "other_classes",
    False,
    "Allow classes that differ from those of the newest version in the repository.",
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing version.")
WARMUP_SIZE = flags.DEFINE_multi(
    settings_flags.SizeParser(),
    flags.ArgumentSerializer(),
    "warmup_size",
    [],
    "Height x width of a warm-up image, which TensorFlow Serving runs before it accepts clients.",
)
MOUNT_FLAG = flags.DEFINE_string(
    "mount", None, f"Path of the repository as TensorFlow Serving sees it. Default: {MOUNT}."
)
MAX_BATCH_SIZE = flags.DEFINE_integer(
    "max_batch_size",
    None,
    "Maximum number of images that the server runs as one batch; the network must accept any "
    "number of images. Default: "
    f"{DEFAULTS['max_batch_size']}.",
)
BATCH_TIMEOUT_MS = flags.DEFINE_float(
    "batch_timeout_ms",
    None,
    f"Time that an image waits for others, in ms. Default: {DEFAULTS['timeout_ms']:g}.",
)
BATCH_THREADS = flags.DEFINE_integer(
    "batch_threads",
    None,
    f"Number of batches that TensorFlow Serving computes at once. Default: {DEFAULTS['threads']}.",
)
MAX_ENQUEUED_BATCHES = flags.DEFINE_integer(
    "max_enqueued_batches",
    None,
    "Number of batches that may wait in TensorFlow Serving, which rejects further requests. "
    "Default: "
    f"{DEFAULTS['max_enqueued_batches']}.",
)


def main() -> None:
    batching = BatchingParameters(
        MAX_BATCH_SIZE.value,
        BATCH_TIMEOUT_MS.value,
        BATCH_THREADS.value,
        MAX_ENQUEUED_BATCHES.value,
    )
    target = add_to_repository(
        pathlib.Path(ARTEFACT.value),
        pathlib.Path(REPOSITORY.value),
        NAME.value,
        VERSION.value,
        overwrite=OVERWRITE.value,
        options=RepositoryOptions(
            batching, tuple(WARMUP_SIZE.value), MOUNT_FLAG.value, OTHER_CLASSES.value
        ),
    )
    print(f"The model {NAME.value} is in {target}")


if __name__ == "__main__":
    command.run(main)
