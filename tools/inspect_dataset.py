"""Inspects a data set: sizes, classes, every faulty file, and a sheet of sample images.

python -m tools.inspect_dataset --dataset=camvid --data_dir=CAMVID --sheet=sheet.png
"""

from tools import command  # isort: skip

import sys

from absl import flags

from flags import settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.files import write_json
from keras_fasterseg.settings import stages

DATASET = flags.DEFINE_enum(
    "dataset", None, sorted(registry.SOURCES), "Kind of data set.", required=True
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the data set.", required=True)
SPLITS = flags.DEFINE_list(
    "splits", ["train", "val"], "Splits to inspect, the training split first."
)
JSON = flags.DEFINE_string(
    "json", None, "JSON file to write the complete findings to, with the names of all files."
)
SHEET = flags.DEFINE_string(
    "sheet", None, "PNG file to write a sheet of images and their labels to."
)
SHEET_IMAGES = flags.DEFINE_integer(
    "sheet_images", 12, "Number of images per split on the sheet.", lower_bound=1
)
settings_flags.define_settings(stages.ReadingSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.reports.inspect_dataset import inspect_dataset
    from keras_fasterseg.reports.inspection_report import inspection_report
    from keras_fasterseg.reports.inspection_sheet import save_inspection_sheet
    from keras_fasterseg.visualization.sample_sheet import check_sheet_path

    if SHEET.value is not None:
        check_sheet_path(SHEET.value)
    reading = settings_flags.read_settings(stages.ReadingSettings)
    source = registry.load_source(
        DATASET.value, DATA_DIR.value, max_megapixels=reading.max_megapixels
    )
    inspection = inspect_dataset(source, SPLITS.value)
    # Printed before anything is written: it took long, and the disk may be full.
    print(inspection_report(inspection), flush=True)
    if JSON.value is not None:
        write_json(JSON.value, inspection.to_json())
    if SHEET.value is not None:
        save_inspection_sheet(SHEET.value, inspection, source, SHEET_IMAGES.value)
    if not inspection.is_trainable:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main)
