"""Exports a trained network to run on uint8 images, and proves that the export matches it.

    python -m tools.export --network=RUN/student/network.keras --target=student.onnx \\
        --format=onnx --input_size=352x480

A network of tools.train_video is exported alike; its --data_dir has videos in the layout of DAVIS.

    python -m tools.export --network=RUN/video/network.keras --target=video.onnx --format=onnx
"""

from tools import command  # isort: skip

import pathlib

from absl import flags

from flags import settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.setting import require
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
    from keras_fasterseg.run.object_networks import is_object_network

    if is_object_network(pathlib.Path(NETWORK.value)):
        proof = _export_video()
    else:
        proof = _export_segmentation()
    print(f"The export is {TARGET.value}")
    if proof is not None:
        print(proof.sentence())


def _export_video():
    from keras_fasterseg.jobs import export_video
    from keras_fasterseg.video_objects.davis import Davis

    require(
        CLASS_ORDER.value is None,
        "--class_order belongs to networks that segment images; leave it out for one of "
        "tools.train_video.",
    )
    require(
        DATASET.value is None,
        "--dataset belongs to networks that segment images; leave it out for one of "
        f"tools.train_video. Received: --dataset={DATASET.value}",
    )
    reading = settings_flags.read_settings(stages.ReadingSettings)
    davis = None
    if DATA_DIR.value is not None:
        davis = Davis(DATA_DIR.value, max_megapixels=reading.max_megapixels)
    return export_video.export_video(
        NETWORK.value,
        TARGET.value,
        settings_flags.read_settings(export_settings.ExportSettings),
        davis,
        val_split=VAL_SPLIT.value,
        overwrite=OVERWRITE.value,
        command=command.line(),
    )


def _export_segmentation():
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
    return export.export(
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


if __name__ == "__main__":
    command.run(main)
