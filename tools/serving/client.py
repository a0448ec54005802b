"""Sends images to a model server, and writes label maps and overlays."""

from tools import command  # isort: skip

import sys

from absl import flags

from flags import serving_flags, settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.data.palette import default_palette
from keras_fasterseg.setting import require
from keras_fasterseg.settings import stages
from keras_fasterseg.visualization.segmentation_pictures import (
    LABEL_MAP,
    OVERLAY,
    SegmentationPictures,
)

IMAGES = flags.DEFINE_string(
    "images",
    None,
    "An image file, a folder of images or a pattern such as 'a/*.jpg'.",
    required=True,
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder for the label maps (NAME.png) and overlays (NAME_overlay.png).",
    required=True,
)
DATASET = flags.DEFINE_enum(
    "dataset",
    None,
    sorted(registry.SOURCES),
    "Data set whose class colours are used. Default: the colours of PASCAL VOC.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of the data set, needed for folder and csv: a file in it defines the colours.",
)
OPACITY = flags.DEFINE_float(
    "opacity",
    0.5,
    "Opacity of the colours in overlays. 0: no overlays.",
    lower_bound=0,
    upper_bound=1,
)
serving_flags.define_client()
settings_flags.define_settings(stages.ReadingSettings)
flags.adopt_module_key_flags(serving_flags)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.jobs.segment_files import find_image_files, segment_files

    require(
        DATA_DIR.value is None or DATASET.value is not None,
        "--data_dir needs --dataset, the kind of data set in that folder.",
    )
    palette = default_palette()
    if DATASET.value is not None:
        _, palette = registry.load_classes(DATASET.value, DATA_DIR.value)
    kinds = (LABEL_MAP, OVERLAY) if OPACITY.value else (LABEL_MAP,)
    pictures = SegmentationPictures(palette, kinds, opacity=OPACITY.value)
    reading = settings_flags.read_settings(stages.ReadingSettings)
    images = find_image_files(IMAGES.value, OUTPUT.value, kinds)
    with serving_flags.read_client() as client:
        result = segment_files(
            [client], images, pictures, max_megapixels=reading.max_megapixels, progress=True
        )
    print(f"Wrote {len(result.done)} label maps to {OUTPUT.value}")
    for failure in result.failures:
        print(f"client.py: {failure}", file=sys.stderr)
    if result.left_out:
        print(f"client.py: The remaining {result.left_out} images were not sent.", file=sys.stderr)
    if result.failures:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main)
