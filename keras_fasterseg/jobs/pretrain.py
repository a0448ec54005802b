"""Job: train the supernet's weights before the search."""

import pathlib

import keras

from keras_fasterseg import workers
from keras_fasterseg.data.search_parts import PARTS_RECORD, batch_images, search_parts
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import atomic_path
from keras_fasterseg.run.data_checks import check_data, check_images
from keras_fasterseg.run.datasets import batch_options, training_batches
from keras_fasterseg.run.fit import fit
from keras_fasterseg.run.local_devices import local_devices
from keras_fasterseg.run.names import SUPERNET_WEIGHTS
from keras_fasterseg.run.optimizers import pretraining_optimizer
from keras_fasterseg.run.run import Run
from keras_fasterseg.search.freed_memory import returned_to_system
from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from keras_fasterseg.search.supernet_trainer import check_backend
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.search import PretrainSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.base import SearchModel, SearchSpace


def pretrain(
    folder: pathlib.Path,
    source: SegmentationSource,
    data: DataSettings,
    space: SearchSpace,
    settings: PretrainSettings,
    seed: int,
) -> pathlib.Path:
    """Trains a supernet and returns the file of its weights in `folder`.

    It uses the images on which the search trains the weights: neither those for the architectures
    nor those held out.

    Resumes from the newest checkpoint in `folder`, if it has one. Also writes the files of `fit`.
    """
    keras.utils.set_random_seed(seed)
    parts = search_parts(source.samples(data.train_split), seed)
    samples = parts.fitted if space.single_level else parts.weights
    batches = training_batches(source, samples, **batch_options(settings, data, seed))
    model = space.search_model(source.num_classes, seed, settings.precision)
    model.samples_paths = settings.sample_paths
    trainer = make_pretrainer(model, settings, batches.steps_per_epoch, seed)
    if settings.epochs:
        with without_graph_rewriting(), returned_to_system():
            fit(trainer, batches, settings.epochs, folder)
    if not workers.is_chief():
        return folder / SUPERNET_WEIGHTS
    with atomic_path(folder / SUPERNET_WEIGHTS) as path:
        model.supernet.save_weights(path)
    return folder / SUPERNET_WEIGHTS


def make_pretrainer(
    model: SearchModel, settings: PretrainSettings, steps_per_epoch: int, seed: int
) -> SupernetPretrainer:
    """Returns the compiled trainer of a supernet's weights, with its optimizer built."""
    trainer = SupernetPretrainer(model, seed=seed, sync_batch_norm=settings.sync_batch_norm)
    optimizer = pretraining_optimizer(settings, steps_per_epoch)
    optimizer.build(model.supernet.trainable_variables)
    trainer.compile(optimizer=optimizer)
    return trainer


def pretrain_stage(run: Run, space: SearchSpace, settings: PretrainSettings) -> pathlib.Path:
    """Trains the supernet's weights into `pretrain/` and returns their file.

    Raises:
        ValueError: A setting is wrong, or differs from that of the finished stage.
        OSError: A folder is missing or cannot be written.
    """
    check_backend()
    require(
        space.pretrains,
        f"The search space {space.name} has no pretraining; start with the search.",
    )
    check_settings(settings, "--pretrain_")
    if run.workdir.recorded("pretrain") is None:
        facts = check_data(run.data)
        check_images(
            "pretrain", settings, facts, batch_images(facts.train_images, space.single_level)
        )
    source = run.source
    with local_devices(settings.batch_size):
        folder = run.workdir.stage(
            "pretrain",
            {
                **run.data_record(),
                **space.record(),
                **PARTS_RECORD,
                "seed": run.seed,
                "pretrain": settings,
            },
            lambda folder: pretrain(folder, source, run.data, space, settings, run.seed),
            inputs=run.splits(run.data.train_split),
        )
    return folder / SUPERNET_WEIGHTS
