"""Exports a trained network as an artefact that takes uint8 images."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from flags import settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.pipelines import export

NETWORK = flags.DEFINE_string("network", None, "network.keras to export.", required=True)
TARGET = flags.DEFINE_string(
    "target", None, "Folder to write; TF Serving wants a number last: DIR/1.", required=True
)
FORMAT = flags.DEFINE_enum("format", export.FORMATS[0], export.FORMATS, "What to write.")
INPUT_SIZE = flags.DEFINE(
    settings_flags.SizeParser(),
    "input_size",
    None,
    "Size of the images; a SavedModel takes all sizes, the other formats need one.",
)
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 1, "Images a call; a SavedModel takes every number.", lower_bound=1
)
OUTPUT = flags.DEFINE_enum(
    "output",
    None,
    export.OUTPUT_CHOICES,
    "What the graph returns; unset: class_ids. A SavedModel always has both.",
)
DATASET = flags.DEFINE_enum(
    "dataset", None, sorted(registry.SOURCES), "Names the classes; unset: they have no names."
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an export that is there already.")


def main() -> None:
    target = export.export(
        pathlib.Path(NETWORK.value),
        pathlib.Path(TARGET.value),
        registry.SOURCES[DATASET.value].class_names if DATASET.value else None,
        overwrite=OVERWRITE.value,
        format=FORMAT.value,
        input_size=INPUT_SIZE.value,
        batch_size=BATCH_SIZE.value,
        output=OUTPUT.value,
    )
    name = "SavedModel" if FORMAT.value == export.FORMATS[0] else f"export ({FORMAT.value})"
    print(f"The {name} is {target}")


if __name__ == "__main__":
    command.run(main)
