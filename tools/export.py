"""Exports a trained network as a SavedModel that takes uint8 images."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from keras_fasterseg.data import registry
from keras_fasterseg.pipelines import export

NETWORK = flags.DEFINE_string("network", None, "network.keras to export.", required=True)
TARGET = flags.DEFINE_string(
    "target", None, "Folder to write; TF Serving wants a number last: DIR/1.", required=True
)
DATASET = flags.DEFINE_enum(
    "dataset", None, sorted(registry.SOURCES), "Names the classes; unset: they have no names."
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a SavedModel that is there already.")


def main() -> None:
    target = export.export(
        pathlib.Path(NETWORK.value),
        pathlib.Path(TARGET.value),
        registry.SOURCES[DATASET.value].class_names if DATASET.value else None,
        overwrite=OVERWRITE.value,
    )
    print(f"The SavedModel is {target}")


if __name__ == "__main__":
    command.run(main)
