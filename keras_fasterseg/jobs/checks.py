"""Checks of a run before its first stage begins."""

import contextlib
from collections.abc import Callable, Collection, Iterator

from keras_fasterseg.data.search_parts import batch_images
from keras_fasterseg.jobs.measure_latency import check_latency
from keras_fasterseg.jobs.search import check_search
from keras_fasterseg.jobs.train import check_training
from keras_fasterseg.run.data_checks import DataFacts, check_data, check_images
from keras_fasterseg.run.network_export import check_export
from keras_fasterseg.run.run import stages_of
from keras_fasterseg.setting import check_settings
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.settings.stages import RunSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.registry import flag_prefix
from keras_fasterseg.spaces.roles import STUDENT, TEACHER


def check_run(settings: RunSettings, finished: Collection[str] = ()) -> DataFacts:
    """Checks the settings of all stages and the data; returns the facts of the data.

    Errors of a late stage are thus reported before the early stages run for days.

    Args:
        settings: Settings of every stage.
        finished: Stages that will not run again; files that they read may be gone.

    Raises:
        ValueError: A setting of a stage is wrong; the message names the stage.
        OSError: A file or folder that a stage needs is missing.
    """
    check_settings(settings.space.settings, "--" + flag_prefix(settings.space.name))
    facts = check_data(settings.data)
    for name, check in _checks(settings, facts).items():
        if name not in finished:
            with _of_stage(name):
                check()
    return facts


def _checks(settings: RunSettings, facts: DataFacts) -> dict[str, Callable[[], None]]:
    """Checks by stage; each raises if its stage could not begin."""

    images = batch_images(facts.train_images, settings.space.single_level)

    def pretrain() -> None:
        check_settings(settings.pretrain, "--pretrain_")
        check_images("pretrain", settings.pretrain, facts, images)

    def search() -> None:
        check_search(settings.search, settings.space, facts.class_names)
        check_images("search", settings.search, facts, images)

    def training(role: str, stage: TrainSettings) -> None:
        check_training(stage, facts.class_names)
        check_images(role, stage, facts)

    checks = {
        "latency": lambda: check_latency(settings.latency, settings.space, len(facts.class_names)),
        "pretrain": pretrain,
        "search": search,
        TEACHER: lambda: training(TEACHER, settings.teacher),
        STUDENT: lambda: training(STUDENT, settings.student),
        "export": lambda: check_export(ExportSettings()),
        "benchmark": lambda: check_settings(settings.benchmark, "--benchmark_"),
    }
    return {name: checks[name] for name in stages_of(settings.space, settings.search)}


@contextlib.contextmanager
def _of_stage(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"Stage {name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"Stage {name}: {error}") from error
