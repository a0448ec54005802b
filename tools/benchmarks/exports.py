"""Exports one network in every format and precision available here, with proofs.

    python -m tools.benchmarks.exports --network=runs/camvid_small/student/network.keras \\
        --dataset=camvid --data_dir=CAMVID --input_size=352x480 --target=runs/exports_camvid

Writes one export per format and precision to the target, and prints the command that times all of
them in turns in a fresh process. `python -m tools.maintenance.results --exports=...
--benchmarks=...` makes a table of the results. Exports that fail their proof, or whose packages are
not installed, are skipped with a warning.
"""

from tools import command  # isort: skip

import pathlib

from absl import flags, logging

from flags import settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.settings import export as export_settings

NETWORK = flags.DEFINE_string("network", None, "network.keras to export.", required=True)
TARGET = flags.DEFINE_string("target", None, "Folder for the exports.", required=True)
DATASET = flags.DEFINE_enum("dataset", None, sorted(registry.SOURCES), "Kind of data set.")
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of the data set. Default: none; the proof uses generated scenes and int8 is left out.",
)
INPUT_SIZE = settings_flags.define_size("input_size", (512, 1024), "Height x width of the images.")
PROOF_IMAGES = flags.DEFINE_integer(
    "proof_images", 8, "Number of images for the proof.", lower_bound=1
)
ALLOW = flags.DEFINE_bool("allow_accuracy_drop", False, "See tools.export.")
flags.adopt_module_key_flags(settings_flags)

KINDS = (
    ("saved_model", "fp32"),
    *(("onnx", precision) for precision in ("fp32", "fp16", "int8")),
    *(("openvino", precision) for precision in ("fp32", "fp16", "int8")),
    *(("litert", precision) for precision in ("fp32", "fp16", "int8")),
)


def main() -> None:
    source = registry.load_source(DATASET.value or "", DATA_DIR.value) if DATA_DIR.value else None
    made = [path for path in (_export(*kind, source) for kind in KINDS) if path is not None]
    first, *others = map(str, made)
    print(
        f"python -m tools.benchmark --artefact={first} --side_by_side={','.join(others)} "
        "--input_size={}x{}".format(*INPUT_SIZE.value)
        + f" --nomemory --output={TARGET.value}/speed.json"
    )


def _export(format: str, precision: str, source) -> pathlib.Path | None:
    from keras_fasterseg.jobs import export

    if precision == "int8" and source is None:
        return None
    target = pathlib.Path(TARGET.value) / f"{format}_{precision}"
    options = export_settings.ExportSettings(
        format,
        precision,
        None if format == "saved_model" else INPUT_SIZE.value,
        proof_images=PROOF_IMAGES.value,
        allow_accuracy_drop=ALLOW.value,
    )
    try:
        proof = export.export(
            NETWORK.value, target, options, source, overwrite=True, command=command.line()
        )
    except ValueError as error:
        logging.warning("Skipped %s in %s. %s", format, precision, error)
        return None
    if proof is not None:
        print(f"{target.name}: {proof.sentence()}")
    return target


if __name__ == "__main__":
    command.run(main)
