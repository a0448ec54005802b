"""Scores an export or a trained network on a split of a data set, or writes its label maps.

--official computes the scores of the Cityscapes benchmark with cityscapesscripts; --submission
writes label maps for its test server.

    python -m tools.evaluate --artefact=RUN/export/student/1 --dataset=camvid \\
        --data_dir=CAMVID

--task=video scores the masks of video object segmentation, with J and F of DAVIS 2017.

    python -m tools.evaluate --task=video --results=MASKS --data_dir=DAVIS
"""

from tools import command  # isort: skip

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from absl import flags

from flags import settings_flags
from keras_fasterseg.files import write_json
from keras_fasterseg.setting import require
from keras_fasterseg.settings import passes as pass_settings
from keras_fasterseg.settings import stages

if TYPE_CHECKING:
    from keras_fasterseg.jobs.evaluate_video import VideoReport
    from keras_fasterseg.reports.evaluation_report import EvaluationReport

SEGMENTATION, VIDEO = TASKS = ("segmentation", "video")

TASK = flags.DEFINE_enum(
    "task",
    SEGMENTATION,
    TASKS,
    "Task to score: segmentation (an artefact on images) or video (masks of the objects in the "
    "videos of DAVIS 2017).",
)
ARTEFACT = flags.DEFINE_string(
    "artefact",
    None,
    "An export's folder or file, or a network.keras. Needed for --task=segmentation.",
)
RESULTS = flags.DEFINE_string(
    "results",
    None,
    "Folder of the masks to score, SEQUENCE/00000.png and so on. Needed for --task=video.",
)
RESOLUTION = flags.DEFINE_string(
    "resolution",
    "480p",
    "Folder of DAVIS 2017 with frames and masks of one resolution, for --task=video.",
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

_SHARED = ("data_dir", "max_megapixels", "val_split")
FLAGS_OF = {
    SEGMENTATION: (
        *(ARTEFACT.name, OFFICIAL.name, SUBMISSION.name, OVERWRITE.name),
        *(
            field.name
            for settings in (stages.DataSettings, pass_settings.PassSettings)
            for field in dataclasses.fields(settings)
            if field.name not in _SHARED
        ),
    ),
    VIDEO: (RESULTS.name, RESOLUTION.name),
}
"""Flags that belong to one task, by task."""


def main() -> None:
    for task in TASKS:
        for name in FLAGS_OF[task]:
            require(
                task == TASK.value or not flags.FLAGS[name].present,
                f"--{name} belongs to --task={task}; leave it out. Received: --task={TASK.value}",
            )
    if TASK.value == VIDEO:
        _evaluate_video()
    else:
        _evaluate_segmentation()


def _evaluate_segmentation() -> None:
    if ARTEFACT.value is None:
        raise ValueError(
            "--artefact is not set; give an export's folder or file, or a network.keras."
        )
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
    _show(report)


def _evaluate_video() -> None:
    if RESULTS.value is None:
        raise ValueError("--results is not set; give the folder of the masks to score.")
    data = settings_flags.read_settings(stages.DataSettings)
    if data.data_dir is None:
        raise ValueError("--data_dir is not set; give the folder of DAVIS 2017.")
    from keras_fasterseg.jobs import evaluate_video
    from keras_fasterseg.video_objects.davis import Davis

    davis = Davis(data.data_dir, RESOLUTION.value, data.max_megapixels)
    _show(evaluate_video.evaluate_video(RESULTS.value, davis, SPLIT.value or data.val_split))


def _show(report: "EvaluationReport | VideoReport") -> None:
    if OUTPUT.value is not None:
        write_json(OUTPUT.value, report.to_json())
    print(report.text())


if __name__ == "__main__":
    command.run(main)
