"""Scores an export or a trained network on a split of a data set, or writes its label maps.

--official asks cityscapesscripts for the scores of Cityscapes' benchmark, --submission writes what
its test server takes.
"""

from tools import command  # isort: skip

import pathlib

from absl import flags

from flags import settings_flags
from keras_fasterseg.files import write_json
from keras_fasterseg.setting import require
from keras_fasterseg.settings import passes as pass_settings
from keras_fasterseg.settings import stages

ARTEFACT = flags.DEFINE_string(
    "artefact", None, "An export's folder or file, or a network.keras.", required=True
)
SPLIT = flags.DEFINE_string("split", None, "Split to score; unset: --val_split.")
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the scores to.")
OFFICIAL = flags.DEFINE_bool(
    "official", False, "Scores by cityscapesscripts: IoU and iIoU of classes and categories."
)
SUBMISSION = flags.DEFINE_string(
    "submission",
    None,
    "Folder to write label maps to as Cityscapes' test server takes them; labels are not needed. "
    "What a stopped call has left there is kept.",
)
OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace the label maps in the folder of --submission."
)
settings_flags.define_settings(stages.DataSettings)
settings_flags.define_settings(pass_settings.PassSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.jobs import evaluate
    from keras_fasterseg.run import datasets

    data = settings_flags.read_settings(stages.DataSettings)
    passes = settings_flags.read_settings(pass_settings.PassSettings)
    require(
        data.data_dir is not None,
        "Set --data_dir to the data set's folder; a run's generated one is WORKDIR/data.",
    )
    report = evaluate.report(
        pathlib.Path(ARTEFACT.value),
        datasets.open_source(data, pathlib.Path(), seed=0),
        SPLIT.value or data.val_split,
        passes=passes,
        official=OFFICIAL.value,
        submission=None if SUBMISSION.value is None else pathlib.Path(SUBMISSION.value),
        overwrite=OVERWRITE.value,
    )
    if OUTPUT.value is not None:
        write_json(OUTPUT.value, report.to_json())
    print(report.text())


if __name__ == "__main__":
    command.run(main)
