"""Exports a trained network to run on uint8 images, and proves that the export matches it.

    python -m tools.export --network=RUN/student/network.keras --target=student.onnx \\
        --format=onnx --input_size=352x480
"""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.settings import export as export_settings
from keras_fasterseg.settings import stages

NETWORK = flags.DEFINE_string("network", None, "network.keras to export.", required=True)
TARGET = flags.DEFINE_string(
    "target",
    None,
    "Folder to write. TF Serving expects a number as its last part: DIR/1.",
    required=True,
)
DATASET = flags.DEFINE_enum(
    "dataset",
    None,
    sorted(registry.SOURCES),
    "Data set that names the classes and, with --data_dir, provides images for the proof and the "
    "calibration.",
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the data set.")
CLASS_ORDER = settings_flags.define_class_order()
TRAIN_SPLIT = flags.DEFINE_string("train_split", "train", "Split for the calibration of int8.")
VAL_SPLIT = flags.DEFINE_string("val_split", "val", "Split for the proof.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing export.")
settings_flags.define_settings(export_settings.ExportSettings)
settings_flags.define_settings(stages.ReadingSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.jobs import export

    dataset, data_dir = DATASET.value, DATA_DIR.value
    source, class_names, palette = None, None, None
    if data_dir is not None:
        if dataset is None:
            raise ValueError("--data_dir needs --dataset, the kind of data set in that folder.")
        reading = settings_flags.read_settings(stages.ReadingSettings)
        source = registry.load_source(dataset, data_dir, CLASS_ORDER.value, reading.max_megapixels)
    elif dataset is not None:
        class_names, palette = registry.load_classes(dataset, class_order=CLASS_ORDER.value)
    proof = export.export(
        NETWORK.value,
        TARGET.value,
        settings_flags.read_settings(export_settings.ExportSettings),
        source,
        class_names=class_names,
        palette=palette,
        train_split=TRAIN_SPLIT.value,
        val_split=VAL_SPLIT.value,
        overwrite=OVERWRITE.value,
        command=command.line(),
    )
    print(f"The export is {TARGET.value}")
    if proof is not None:
        print(proof.sentence())


if __name__ == "__main__":
    command.run(main)
