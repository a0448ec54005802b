"""Segments images, a video or a camera: writes label maps and overlays, and reports FPS.

    python -m tools.predict --artefact=RUN/export/student/1 --images=street.jpg \\
        --output=predictions
"""

from tools import command  # isort: skip

import sys

from absl import flags

from flags import settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.settings import prediction as predict_settings

ARTEFACT = flags.DEFINE_string(
    "artefact",
    None,
    "An export's folder or file (SavedModel, .onnx, .xml, .tflite) or a network.keras.",
    required=True,
)
IMAGES = flags.DEFINE_string(
    "images",
    None,
    "An image, a folder of them, a pattern such as 'a/*.jpg', a video file, an address such as "
    "rtsp://HOST/STREAM, or camera:0.",
    required=True,
)
OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the pictures; for a video, a folder or FILE.mp4.", required=True
)
DATASET = flags.DEFINE_enum(
    "dataset",
    None,
    sorted(registry.SOURCES),
    "Data set whose class names and colours are used. Default: those recorded in the artefact.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of the data set, needed for folder and csv: a file in it defines the classes.",
)
CLASS_ORDER = settings_flags.define_class_order()
CLASS_NAMES = flags.DEFINE_list("class_names", [], "Names of all classes, comma separated.")
CLASS_COLORS = flags.DEFINE_list(
    "class_colors", [], "Colours of all classes, comma separated, each RRGGBB in hexadecimal."
)
settings_flags.define_settings(predict_settings.PredictSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.jobs import predict

    prediction = predict.predict(
        ARTEFACT.value,
        IMAGES.value,
        OUTPUT.value,
        settings_flags.read_settings(predict_settings.PredictSettings),
        dataset=DATASET.value,
        data_dir=DATA_DIR.value,
        class_order=CLASS_ORDER.value,
        class_names=CLASS_NAMES.value,
        class_colors=CLASS_COLORS.value,
    )
    print(prediction.text())
    for failure in prediction.failures:
        print(f"predict.py: {failure}", file=sys.stderr)
    if prediction.failures:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main)
