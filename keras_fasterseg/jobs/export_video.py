"""Job: export a network of video object segmentation, and prove that the export matches it."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from absl import logging

from keras_fasterseg.export.manifest import check_target, extend_manifest
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.run.object_networks import load_object_network
from keras_fasterseg.runtimes.optional_import import require_tensorflow
from keras_fasterseg.setting import require
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.video_objects.davis import Davis
from keras_fasterseg.video_objects.exported_objects import open_exported_objects
from keras_fasterseg.video_objects.generated_sequences import draw_sequence
from keras_fasterseg.video_objects.object_runner import (
    LEAST_SCORE,
    FollowedVideo,
    KerasObjectRunner,
    ObjectRunner,
)

LARGEST_DIFFERENCE = 1e-3
"""Of scores, masks and embeddings, and of boxes as a share of the image's longer side. Another
order of float32 sums changes them by about 1e-5."""

LEAST_EQUAL_IDS = 0.999
"""Share of the pixels whose ids are equal."""


@dataclasses.dataclass(frozen=True)
class ObjectProof:
    """Comparison of an export with its Keras model.

    Attributes:
        frames: Number of frames.
        of: Source of the frames.
        by: Runtime of the export.
        largest_differences: Largest difference of each output, by name.
        proposals: Number of compared proposals: those with a score that counts.
        equal_ids: Share of the pixels whose ids of followed objects are equal.
    """

    frames: int
    of: str
    by: str
    largest_differences: Mapping[str, float]
    proposals: int
    equal_ids: float

    def to_json(self) -> dict[str, object]:
        """Returns the fields as JSON values."""
        return dataclasses.asdict(self)

    def sentence(self) -> str:
        """The findings in one sentence."""
        largest = max(self.largest_differences.values())
        return (
            f"Compared with the Keras model on {self.frames} frames ({self.of}): "
            f"{100 * self.equal_ids:.4f} % of the ids are equal; outputs of {self.proposals} "
            f"proposals differ by at most {largest:.2g}."
        )


def export_video(
    network: PathLike,
    target: PathLike,
    settings: ExportSettings | None = None,
    davis: Davis | None = None,
    *,
    val_split: str = "val",
    overwrite: bool = False,
    command: str | None = None,
) -> ObjectProof | None:
    """Exports `network.keras` of `tools.train_video` to the folder `target`.

    The export's manifest holds the proof. An export that fails its proof is not written.

    Args:
        network: The trained network.
        target: Folder to write.
        settings: `format`, `input_size` and `proof_images`; all other settings must be defaults.
            Another input size than that of the training keeps the weights.
        davis: Videos for the proof; None generates some.
        val_split: Split for the proof.
        overwrite: Whether to replace an existing export.
        command: The command line, for the record.

    Returns:
        The proof; None if `settings` ask for no proof images.

    Raises:
        FileNotFoundError: The network does not exist.
        FileExistsError: The target exists.
        ValueError: The file is not such a network, a setting is not supported, or the export fails
            its proof.
    """
    settings = settings or ExportSettings()
    require_tensorflow("Exporting a network of video object segmentation")
    from keras_fasterseg.export.object_export import FORMATS, export_objects

    _check(settings, FORMATS)
    target = pathlib.Path(target)
    check_target(target, overwrite)
    model = load_object_network(pathlib.Path(network))
    if settings.input_size is not None and settings.input_size != model.input_size:
        model = model.resized(settings.input_size)
    with atomic_path(target) as temporary:
        logging.info("Converting the network to %s ...", settings.format)
        export_objects(model, temporary, settings.format)
        proof = None
        if settings.proof_images:
            frames, of, mask = _frames(davis, val_split, settings.proof_images, model.input_size)
            runner = open_exported_objects(temporary)
            proof = prove_objects(KerasObjectRunner(model), runner, frames, mask, of)
            check_object_proof(proof)
            if not proof.proposals:
                logging.warning(
                    "The network found no object on the frames of the proof, so masks and "
                    "embeddings were not compared; give other videos with --data_dir."
                )
            extend_manifest(temporary, {"proof": proof.to_json()})
        else:
            logging.warning("No proof: nothing shows that the export matches the network.")
        if command is not None:
            extend_manifest(temporary, {"command": command})
    return proof


def prove_objects(
    keras_runner: ObjectRunner,
    runner: ObjectRunner,
    frames: Sequence[np.ndarray],
    mask: np.ndarray | None,
    of: str,
) -> ObjectProof:
    """Compares outputs and followed objects of two runners.

    Args:
        keras_runner: The Keras model.
        runner: The export.
        frames: uint8 RGB frames of one video.
        mask: Ids of the first frame; None follows everything.
        of: Source of the frames, for the record.
    """
    differences: dict[str, float] = {}
    proposals = 0
    side = max(keras_runner.network_size)
    for frame in frames:
        image = keras_runner.resized(frame)[None]
        expected, received = keras_runner.infer(image), runner.infer(image)
        found = {
            name: _largest(expected[name] - received[name])
            for name in ("embedding_map", "foreground")
        }
        counted = np.flatnonzero(expected["scores"][0] >= LEAST_SCORE)
        proposals += len(counted)
        for place in counted:
            # Almost equal scores may change places.
            distances = np.abs(received["boxes"][0] - expected["boxes"][0, place]).max(axis=1)
            other = int(distances.argmin())
            found["boxes"] = _larger(found.get("boxes", 0.0), float(distances[other]) / side)
            for name in ("scores", "masks", "embeddings"):
                difference = _largest(expected[name][0, place] - received[name][0, other])
                found[name] = _larger(found.get(name, 0.0), difference)
        for name, value in found.items():
            differences[name] = _larger(differences.get(name, 0.0), value)
    ids = [np.stack(list(FollowedVideo(each, frames, mask))) for each in (keras_runner, runner)]
    return ObjectProof(
        len(frames),
        of,
        str(runner.describe()["runtime"]),
        differences,
        proposals,
        float(np.mean(ids[0] == ids[1])),
    )


def check_object_proof(proof: ObjectProof) -> None:
    """Raises `ValueError` if an export differs too much from its Keras model."""
    for name, difference in proof.largest_differences.items():
        # Negated, so that NaN fails as well.
        if not difference <= LARGEST_DIFFERENCE:
            raise ValueError(
                f"The export differs from the Keras model: on {proof.frames} frames ({proof.of}) "
                f"the output {name} differs by {difference:.2g}; at most {LARGEST_DIFFERENCE:g} is "
                "allowed. Nothing was written. Choose another format."
            )
    if proof.equal_ids < LEAST_EQUAL_IDS:
        raise ValueError(
            f"The export differs from the Keras model: {100 * proof.equal_ids:.3f} % of the ids on "
            f"{proof.frames} frames ({proof.of}) are equal, but at least "
            f"{100 * LEAST_EQUAL_IDS:g} % must be. Nothing was written. Choose another format."
        )


def _check(settings: ExportSettings, formats: Sequence[str]) -> None:
    kept = ExportSettings(
        format=settings.format,
        input_size=settings.input_size,
        proof_images=settings.proof_images,
    )
    require(
        settings == kept and settings.format in formats,
        "A network of video object segmentation is exported to "
        f"{' or '.join(formats)} in fp32, for one image per call, with all its outputs; set only "
        "--format, --input_size and --proof_images.",
    )
    require(
        settings.input_size is None or all(side % 32 == 0 for side in settings.input_size),
        "Both sides of --input_size must be multiples of 32. Received: "
        f"--input_size={'x'.join(map(str, settings.input_size or ()))}",
    )


def _frames(
    davis: Davis | None, split: str, count: int, size: tuple[int, int]
) -> tuple[list[np.ndarray], str, np.ndarray | None]:
    """Consecutive frames of one video, their source, and the mask of the first one."""
    if davis is None:
        frames, masks = draw_sequence(np.random.default_rng(0), size, max(count, 3))
        return frames[:count], "a generated sequence", masks[0]
    sequence = davis.sequences(split)[0]
    frames = [davis.read_frame(path) for path in sequence.frames[:count]]
    mask = None if sequence.masks[0] is None else davis.read_mask(sequence.masks[0])
    return frames, f"{sequence.name} of {davis.root}, split {split}", mask


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0))


def _larger(first: float, second: float) -> float:
    """The larger number; NaN if one of them is."""
    return float(np.maximum(first, second))
