"""Job: train a network of video object segmentation."""

import pathlib
from typing import Any

import keras
import numpy as np
from absl import logging

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_size
from keras_fasterseg.data.image_listing import find_images
from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.run.datasets import Batches
from keras_fasterseg.run.fit import fit
from keras_fasterseg.run.inputs import Input, network_input
from keras_fasterseg.run.names import EVALUATION, GENOTYPE, NETWORK
from keras_fasterseg.run.object_networks import initialize_encoder
from keras_fasterseg.run.run import if_there
from keras_fasterseg.run.trained_networks import check_genotype, load_network
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.video import VideoDataSettings, VideoTrainSettings
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import load_genotype
from keras_fasterseg.training.keep_best import KeepBest
from keras_fasterseg.video_objects.davis import BACKGROUND, VOID, Davis
from keras_fasterseg.video_objects.generated_sequences import GeneratedSequences, generate
from keras_fasterseg.video_objects.network import ObjectNetwork
from keras_fasterseg.video_objects.object_runner import FollowedVideo, KerasObjectRunner
from keras_fasterseg.video_objects.object_trainer import ObjectTrainer
from keras_fasterseg.video_objects.proposals import Propose
from keras_fasterseg.video_objects.scores import FEWEST_FRAMES, VideoScores, score_sequence
from keras_fasterseg.video_objects.training_batches import FrameBatches, training_frames

STAGE = "video"


def train_video(
    workdir: PathLike,
    data: VideoDataSettings | None = None,
    settings: VideoTrainSettings | None = None,
    genotype: Genotype | None = None,
    seed: int = 0,
) -> pathlib.Path:
    """Trains a network into `WORKDIR/video` and returns its file.

    The network of the epoch with the best J&F on the validation split is kept. A stopped training
    resumes; a finished one is not repeated.

    Args:
        workdir: Folder of the run.
        data: Settings of the data.
        settings: Settings of the training.
        genotype: The encoder. Default: that of the network in `initial_weights`.
        seed: Seed of all random choices.

    Raises:
        ValueError: A setting is wrong or differs from that of the finished stage, or there is
            neither a genotype nor `initial_weights`.
        DataError: A file of the data set is missing or faulty.
        OSError: A folder or file cannot be written.
    """
    data, settings = data or VideoDataSettings(), settings or VideoTrainSettings()
    check_settings(data)
    check_settings(settings)
    require(seed >= 0, f"The seed must not be negative. Received: seed={seed}")
    initial = settings.initial_weights
    run = Workdir(workdir)
    recorded = run.recorded(STAGE)
    if genotype is None and recorded is not None:
        genotype = load_genotype(run.path / STAGE / GENOTYPE)
    if genotype is None:
        require(
            initial is not None,
            "The encoder is unknown; give a genotype, or a trained network as initial_weights.",
        )
        genotype = load_network(pathlib.Path(str(initial))).genotype
    if initial is not None and recorded is None:
        check_genotype(load_network(pathlib.Path(initial)), genotype, pathlib.Path(initial))
    davis = open_videos(data, run.path, seed)
    inputs: dict[str, Input | None] = {
        f"the split {split!r}": run.input_files.split(davis, split)
        for split in dict.fromkeys((data.train_split, data.val_split))
    }
    if initial is not None:
        inputs["the initial weights"] = if_there(network_input, initial)
    depends = {"data": data, "video": settings, "genotype": genotype.id, "seed": seed}
    read = inputs[f"the split {data.train_split!r}"]
    trained_on = {
        "data_set": davis.name,
        "splits": {data.train_split: None if read is None else read.sha256},
    }
    folder = run.stage(
        STAGE,
        depends,
        lambda folder: _train(folder, davis, data, genotype, settings, seed, trained_on),
        inputs=inputs,
        keep_checkpoint=True,
    )
    return folder / NETWORK


def open_videos(data: VideoDataSettings, workdir: pathlib.Path, seed: int) -> Davis:
    """Opens the videos; generates them first if no folder is named.

    Raises:
        DataError: A folder or file is missing or faulty.
        OSError: The videos cannot be written.
    """
    if data.data_dir is not None:
        return Davis(data.data_dir, data.resolution, data.max_megapixels)
    size = data.generated_size
    return generate(
        workdir / "videos",
        GeneratedSequences(
            data.generated_train, data.generated_val, data.generated_frames, size, seed
        ),
        train_backgrounds=_backgrounds(data.train_backgrounds),
        val_backgrounds=_backgrounds(data.val_backgrounds),
    )


def follow_split(runner: Propose, davis: Davis, split: str, **options: Any) -> VideoScores:
    """J and F of a split whose objects are followed from the mask of the first frame.

    Args:
        runner: The network.
        davis: The data set; every frame of the split needs a mask.
        split: The split.
        **options: Further arguments of `FollowedVideo`.

    Raises:
        DataError: A file is faulty. `check_scored` finds splits that have no score.
    """
    scores = {}
    for sequence in davis.sequences(split):
        truths = [davis.read_mask(path) for path in sequence.masks if path is not None]
        frames = map(davis.read_frame, sequence.frames)
        followed = FollowedVideo(runner, frames, truths[0], **options)
        scores[sequence.name] = score_sequence(list(followed), truths)
    return VideoScores(scores)


def _backgrounds(folder: str | None) -> tuple[pathlib.Path, ...]:
    if folder is None:
        return ()
    found = tuple(find_images(pathlib.Path(folder)))
    if not found:
        raise DataError(f"{folder} has no images for backgrounds; name a folder that has some.")
    return found


def check_scored(davis: Davis, split: str) -> None:
    """Raises `DataError` unless all sequences of a split can be scored."""
    for sequence in davis.sequences(split):
        where = f"{sequence.name} of the split {split} in {davis.root}"
        masks = [path for path in sequence.masks if path is not None]
        if len(masks) != len(sequence.frames) or len(masks) < FEWEST_FRAMES:
            raise DataError(
                f"{where} has {len(sequence.frames)} frames and {len(masks)} masks; to be scored "
                f"it needs at least {FEWEST_FRAMES} frames and a mask for each."
            )
        first = davis.read_mask(masks[0])
        if not np.any((first != BACKGROUND) & (first != VOID)):
            raise DataError(f"The first mask of {where} shows no object.")
        for path in (*sequence.frames, *masks):
            if read_size(path) != first.shape:
                raise DataError(f"{path} has another size than the first mask of {where}.")


def _train(
    folder: pathlib.Path,
    davis: Davis,
    data: VideoDataSettings,
    genotype: Genotype,
    settings: VideoTrainSettings,
    seed: int,
    trained_on: dict[str, Any],
) -> None:
    keras.utils.set_random_seed(seed)
    check_scored(davis, data.val_split)
    sequences = davis.sequences(data.train_split)
    frames, num_identities = training_frames(davis, sequences, progress=True)
    require(
        num_identities > 0,
        f"The masks of the split {data.train_split} in {davis.root} show no object.",
    )
    network = _network(genotype, settings, trained_on)
    weights = {
        "centers": settings.center_weight,
        "sizes": settings.size_weight,
        "masks": settings.mask_weight,
        "foreground": settings.foreground_weight,
        "boundaries": settings.boundary_weight,
        "identities": settings.identity_weight,
    }
    trainer = ObjectTrainer(network, num_identities, weights)
    steps = settings.epochs * settings.steps_per_epoch
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps),
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.clip_norm,
    )
    optimizer.build(trainer.trainable_variables)
    trainer.compile(optimizer=optimizer)
    batches = FrameBatches(
        davis,
        tuple(frames),
        settings.batch_size,
        settings.input_size,
        settings.trained_objects,
        (settings.scales[0], settings.scales[1]),
        settings.color_jitter,
        seed,
        network.mean,
        network.std,
    )
    runner = KerasObjectRunner(network)

    def score() -> VideoScores:
        scores = follow_split(runner, davis, data.val_split)
        logging.info("J&F on %s: %.4f", data.val_split, scores.j_and_f)
        return scores

    def save(scores: VideoScores) -> None:
        with atomic_path(folder / NETWORK) as path:
            network.save(path)
        write_json(folder / EVALUATION, scores.to_json())

    genotype.save(folder / GENOTYPE)
    best = KeepBest(score, save, settings.evaluate_every, settings.epochs, metric="j_and_f")
    fit(
        trainer,
        Batches(batches.from_batch, settings.steps_per_epoch),
        settings.epochs,
        folder,
        [best],
    )


def _network(
    genotype: Genotype, settings: VideoTrainSettings, trained_on: dict[str, Any]
) -> ObjectNetwork:
    options: dict[str, Any] = {"trained_on": trained_on}
    initial = None if settings.initial_weights is None else pathlib.Path(settings.initial_weights)
    if initial is not None:
        trained = load_network(initial)
        options |= {"mean": trained.mean, "std": trained.std}
    network = ObjectNetwork(
        genotype, settings.input_size, settings.max_objects, settings.attention, **options
    )
    if initial is not None:
        logging.info("%s", initialize_encoder(network, initial).sentence(initial))
    return network
