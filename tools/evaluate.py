"""Scores a SavedModel or a trained network on a split of a data set."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from flags import settings_flags
from keras_fasterseg.files import write_json
from keras_fasterseg.pipelines import datasets, evaluate, settings

ARTEFACT = flags.DEFINE_string(
    "artefact", None, "A SavedModel's folder or a network.keras.", required=True
)
SPLIT = flags.DEFINE_string("split", None, "Split to score; unset: --val_split.")
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the scores to.")
settings_flags.define_settings(settings.DataSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    data = settings_flags.read_settings(settings.DataSettings)
    settings.require(
        data.data_dir is not None,
        "Set --data_dir to the data set's folder; a run's generated one is WORKDIR/data.",
    )
    source = datasets.open_source(data, pathlib.Path(), seed=0)
    split = SPLIT.value or data.val_split
    result = evaluate.evaluate(pathlib.Path(ARTEFACT.value), source, split)
    if OUTPUT.value is not None:
        write_json(OUTPUT.value, result.to_json())
    print(result.table())
    print(f"\nmIoU {100 * result.miou:.2f} %, {result.num_images} images of {split}")


if __name__ == "__main__":
    command.run(main)
