"""Sends an image or a folder of images to a model server and writes label maps and overlays."""

from tools import command  # isort: skip

import pathlib
import sys

from absl import flags

from flags import serving_flags
from keras_fasterseg.data import registry
from keras_fasterseg.pipelines.segment_files import segment_files
from keras_fasterseg.visualization.label_map import default_palette
from keras_fasterseg.visualization.segmentation_pictures import (
    LABEL_MAP,
    OVERLAY,
    SegmentationPictures,
)

IMAGES = flags.DEFINE_string(
    "images", None, "An image file, a folder of them or a pattern such as 'a/*.jpg'.", required=True
)
OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the label maps, NAME.png and NAME_overlay.png.", required=True
)
DATASET = flags.DEFINE_enum(
    "dataset",
    None,
    sorted(registry.SOURCES),
    "Whose colours the classes have; unset: those of PASCAL VOC.",
)
OPACITY = flags.DEFINE_float(
    "opacity", 0.5, "Of the colours in an overlay; 0: no overlays.", lower_bound=0, upper_bound=1
)
serving_flags.define_client()
flags.adopt_module_key_flags(serving_flags)


def main() -> None:
    palette = registry.SOURCES[DATASET.value].palette if DATASET.value else default_palette()
    kinds = (LABEL_MAP, OVERLAY) if OPACITY.value else (LABEL_MAP,)
    pictures = SegmentationPictures(palette, kinds, opacity=OPACITY.value)
    with serving_flags.read_client() as client:
        result = segment_files(
            [client], IMAGES.value, pathlib.Path(OUTPUT.value), pictures, progress=True
        )
    print(f"Wrote {len(result.done)} label maps to {OUTPUT.value}")
    for failure in result.failures:
        print(f"client.py: {failure}", file=sys.stderr)
    if result.left_out:
        print(f"client.py: {result.left_out} images were not sent any more.", file=sys.stderr)
    if result.failures:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main)
