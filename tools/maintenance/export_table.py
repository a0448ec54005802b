"""Table of exported networks with their proofs and speed."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_fasterseg.benchmark.comparison import read_measurements
from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.runtimes.artefact_format import MANIFEST
from keras_fasterseg.runtimes.base import metadata_genotype
from keras_fasterseg.runtimes.saved_model_format import METADATA_FILE, joined_digest
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import load_preset, preset_names
from tools.maintenance.markdown import number, table

_HEADERS = (
    *("network", "format", "precision", "images", "MiB", "equal labels %", "logits differ by"),
    *("mIoU %", "mIoU difference, points", "p50 ms"),
)


def export_markdown(folders: Sequence[PathLike], benchmarks: Sequence[PathLike] = ()) -> str:
    """One row per export in `folders`, read from its manifest.

    Args:
        folders: Folders of exports.
        benchmarks: Result files of `tools.benchmark`. An export measured there (matched by digest)
            is shown with its median time.

    Raises:
        FileNotFoundError: A folder has no manifest, or a file does not exist.
        ValueError: A manifest has no proof or has another version.
    """
    measured = {
        row["runner"].get("artefact_sha256"): row
        for path in benchmarks
        for row in read_measurements(path)
    }
    manifests = [_manifest(pathlib.Path(folder)) for folder in folders]
    rows = [_row(manifest, measured) for manifest in manifests]
    proofs = dict.fromkeys(
        f"{proof['images']} images of {proof['of']}"
        for proof in (manifest["proof"] for manifest in manifests)
    )
    notes = [
        f"Equal labels, logits and mIoU: on {' or '.join(proofs)}, compared with Keras in float32. "
        "p50: from the benchmarks above, exports of one size timed alternately."
    ]
    stand_ins = dict.fromkeys(
        manifest["format"] for manifest in manifests if " of the ONNX" in manifest["proof"]["by"]
    )
    if stand_ins:
        notes.append(
            f"{' and '.join(stand_ins)} did not run on this machine; the proof is that of the ONNX "
            "file it was built from."
        )
    return "\n\n".join(
        ["### Exports compared with the Keras model", table(rows, _HEADERS), " ".join(notes)]
    )


def _manifest(folder: pathlib.Path) -> dict[str, Any]:
    """The manifest. The other files of the export may be missing."""
    paths = [folder / MANIFEST, folder / METADATA_FILE]
    manifest = read_json(next((path for path in paths if path.is_file()), paths[0]))
    if not isinstance(manifest, dict) or "proof" not in manifest:
        raise ValueError(
            f"The manifest of {folder} has no proof. Export the network with `python -m "
            "tools.export` and --proof_images."
        )
    return manifest


def _row(
    manifest: Mapping[str, Any], measured: Mapping[Any, Mapping[str, Any]]
) -> list[str | None]:
    genotype, proof, size = metadata_genotype(manifest), manifest["proof"], manifest["input_size"]
    row = measured.get(joined_digest(manifest["files"]))
    return [
        None if genotype is None else _name(genotype),
        manifest["format"],
        manifest["precision"],
        "any size" if size is None else "x".join(map(str, size)),
        f"{manifest['bytes'] / 2**20:.1f}",
        f"{100 * proof['equal_labels']:.3f}",
        number(proof["logits_difference"], ".1e"),
        number(proof["miou"], ".2f", 100),
        number(proof["miou_difference"], "+.2f", 100),
        None if row is None else f"{row['times']['p50_ms']:.1f} ({row['runner']['runtime']})",
    ]


def _name(genotype: Genotype) -> str:
    """Name of a published network, otherwise the genotype's id."""
    published = (name for name in preset_names() if load_preset(name).id == genotype.id)
    return next(published, genotype.id)
