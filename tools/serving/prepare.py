"""Copies a SavedModel to TensorFlow Serving's folder of models, or an ONNX export to Triton's."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from flags import settings_flags
from keras_fasterseg.serving.model_repository import MOUNT, RepositoryOptions, add_to_repository
from keras_fasterseg.serving.tensorflow_serving_repository import (
    DEFAULTS,
    BatchingParameters,
)

ARTEFACT = flags.DEFINE_string("artefact", None, "The export's folder.", required=True)
REPOSITORY = flags.DEFINE_string("repository", None, "The server's folder.", required=True)
NAME = flags.DEFINE_string("name", None, "By which clients ask for the model.", required=True)
VERSION = flags.DEFINE_integer(
    "version", None, "Its version; unset: the one after those that are there.", lower_bound=1
)
OTHER_CLASSES = flags.DEFINE_bool(
    "other_classes", False, "The version may have other classes than the one before."
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a version that is there already.")
WARMUP_SIZE = flags.DEFINE_multi(
    settings_flags.SizeParser(),
    flags.ArgumentSerializer(),
    "warmup_size",
    [],
    "Size of an image that TensorFlow Serving tries before it lets clients in; may be repeated.",
)
MOUNT_FLAG = flags.DEFINE_string(
    "mount", None, f"Where TensorFlow Serving finds the repository; unset: {MOUNT}."
)
MAX_BATCH_SIZE = flags.DEFINE_integer(
    "max_batch_size",
    None,
    "Images that share a run of the network, which must take every number of them; unset: "
    f"{DEFAULTS['max_batch_size']}.",
)
BATCH_TIMEOUT_MS = flags.DEFINE_float(
    "batch_timeout_ms",
    None,
    f"How long an image waits for others, in ms; unset: {DEFAULTS['timeout_ms']:g}.",
)
BATCH_THREADS = flags.DEFINE_integer(
    "batch_threads",
    None,
    f"Batches computed at once by TensorFlow Serving; unset: {DEFAULTS['threads']}.",
)
MAX_ENQUEUED_BATCHES = flags.DEFINE_integer(
    "max_enqueued_batches",
    None,
    "Batches that may wait in TensorFlow Serving, which turns further requests away; unset: "
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
