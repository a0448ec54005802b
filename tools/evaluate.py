"""Scores an export or a trained network on a split of a data set, or writes its label maps.

--official computes the scores of the Cityscapes benchmark with cityscapesscripts; --submission
writes label maps for its test server.

    python -m tools.evaluate --artefact=RUN/export/student/1 --dataset=camvid \\
        --data_dir=CAMVID
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
SPLIT = flags.DEFINE_string("split", None, "Split to score. Default: --val_split.")
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the scores to.")
OFFICIAL = flags.DEFINE_bool(
    "official",
    False,
    "Compute the scores with cityscapesscripts: IoU and iIoU of classes and categories.",
)
SUBMISSION = flags.DEFINE_string(
    "submission",
    None,
    "Folder for label maps in the format of Cityscapes' test server; labels are not needed. Label "
    "maps that an interrupted call left there are kept.",
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
        "--data_dir is not set; give the folder of the data set (WORKDIR/data if a run generated "
        "it).",
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
