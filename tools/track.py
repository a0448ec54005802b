"""Follows the objects of a video: writes masks and overlays, and reports FPS.

    python -m tools.track --artefact=RUN/video/network.keras --video=street.mp4 \\
        --first_mask=street.png --output=masks

With --data_dir instead of --video, all sequences of a split in DAVIS's layout are followed from the
masks of their first frames; `tools.evaluate --task=video` scores the result.
"""

from tools import command  # isort: skip

import sys

from absl import flags

from flags import settings_flags
from keras_fasterseg.setting import require
from keras_fasterseg.settings import video as video_settings

ARTEFACT = flags.DEFINE_string(
    "artefact", None, "network.keras of tools.train_video, or an export of it.", required=True
)
VIDEO = flags.DEFINE_string(
    "video",
    None,
    "A video file, a folder of images, an address such as rtsp://HOST/STREAM, or camera:0.",
)
FIRST_MASK = flags.DEFINE_string(
    "first_mask",
    None,
    "PNG file of the ids of the objects in the first frame of --video. Default: everything that "
    "the network finds is followed.",
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of videos in the layout of DAVIS 2017.")
SPLIT = flags.DEFINE_string("split", "val", "Split of --data_dir.")
RESOLUTION = flags.DEFINE_string("resolution", "480p", "Folder of frames and masks in --data_dir.")
OUTPUT = flags.DEFINE_string("output", None, "Folder for masks and overlays.", required=True)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace earlier masks and overlays.")
settings_flags.define_settings(video_settings.TrackSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    settings = settings_flags.read_settings(video_settings.TrackSettings)
    require(
        (VIDEO.value is None) != (DATA_DIR.value is None),
        "Give either --video, or --data_dir for all videos of a split.",
    )
    require(
        FIRST_MASK.value is None or VIDEO.value is not None,
        "--first_mask belongs to --video; the sequences of --data_dir have their own masks.",
    )
    from keras_fasterseg.jobs import track
    from keras_fasterseg.video_objects.davis import Davis

    if DATA_DIR.value is None:
        tracking = track.track(
            ARTEFACT.value,
            str(VIDEO.value),
            OUTPUT.value,
            settings,
            first_mask=FIRST_MASK.value,
            overwrite=OVERWRITE.value,
        )
    else:
        davis = Davis(DATA_DIR.value, RESOLUTION.value, settings.max_megapixels)
        tracking = track.track_split(
            ARTEFACT.value, davis, SPLIT.value, OUTPUT.value, settings, overwrite=OVERWRITE.value
        )
    print(tracking.text())
    for failure in tracking.failures:
        print(f"track.py: {failure}", file=sys.stderr)
    if tracking.failures:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main)
