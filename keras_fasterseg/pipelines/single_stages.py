"""Jobs of single stages in a run's folder, laid out and recorded as the whole road records them.

A stage that is done here counts as done there, and the other way round, if the settings agree.
"""

import pathlib
from typing import Any

from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import PathLike
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.pipelines.datasets import check_crop, check_source, open_source
from keras_fasterseg.pipelines.measure_latency import TABLE, measure_latency
from keras_fasterseg.pipelines.pretrain import WEIGHTS, pretrain
from keras_fasterseg.pipelines.search import check_search, search
from keras_fasterseg.pipelines.settings import (
    DataSettings,
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    SupernetSettings,
    TrainSettings,
    require,
)
from keras_fasterseg.pipelines.train import MODEL, train
from keras_fasterseg.pipelines.workdir import Workdir, plain
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.spaces.fasterseg.latency_costs import required_keys


def latency_stage(
    path: PathLike, supernet: SupernetSettings, settings: LatencySettings, num_classes: int
) -> pathlib.Path:
    """Measures the space's operations into `latency/` and returns the table's file.

    Raises:
        ValueError: A setting is wrong, or the finished stage had another one.
        OSError: The folder cannot be written.
    """
    require(num_classes >= 1, f"A table needs a class. Received: num_classes={num_classes}")
    depends = {"supernet": supernet, "latency": settings, "num_classes": num_classes}
    folder = Workdir(path).stage(
        "latency",
        depends,
        lambda folder: measure_latency(folder, supernet, settings, num_classes),
    )
    return folder / TABLE


def pretrain_stage(
    path: PathLike,
    data: DataSettings,
    supernet: SupernetSettings,
    settings: PretrainSettings,
    seed: int,
) -> pathlib.Path:
    """Trains the supernet's weights into `pretrain/` and returns their file.

    Raises:
        ValueError: A setting is wrong, or the finished stage had another one.
        OSError: A folder is missing or cannot be written.
    """
    check_crop(settings.crop_size)
    workdir = Workdir(path)
    source = _open(data, workdir, seed)
    folder = workdir.stage(
        "pretrain",
        {"data": data, "supernet": supernet, "seed": seed, "pretrain": settings},
        lambda folder: pretrain(folder, source, data, supernet, settings, seed),
    )
    return folder / WEIGHTS


def search_stage(
    path: PathLike,
    data: DataSettings,
    supernet: SupernetSettings,
    settings: SearchSettings,
    seed: int,
    pretrained: PathLike | None = None,
    latency_table: PathLike | None = None,
) -> pathlib.Path:
    """Searches into `search/` and returns that folder, which has `teacher.json`, `student.json`.

    Args:
        path: Folder of the run.
        data: Which images.
        supernet: Which supernet.
        settings: How to search.
        seed: Seed of everything that is random.
        pretrained: Weights to begin with; `None` takes those of the run's stage `pretrain`.
        latency_table: The table; `None` takes that of the run's stage `latency`.

    Raises:
        ValueError: A setting is wrong, the finished stage had another one, or the weights or the
            table are of another supernet.
        OSError: A folder or file is missing or cannot be written.
    """
    check_crop(settings.crop_size)
    check_search(settings)
    workdir = Workdir(path)
    source = _open(data, workdir, seed)
    depends: dict[str, Any] = {
        "data": data,
        "supernet": supernet,
        "seed": seed,
        "num_classes": source.num_classes,
        "search": settings,
    }
    if latency_table is None:
        record = _finished(workdir, "latency", supernet, "tools.measure_latency", "latency_table")
        depends["latency"] = record["latency"]
        latency_table = workdir.path / "latency" / TABLE
    else:
        depends["latency_table"] = pathlib.Path(latency_table)
    if pretrained is None:
        record = _finished(workdir, "pretrain", supernet, "tools.pretrain_supernet", "pretrained")
        depends["pretrain"] = record["pretrain"]
        pretrained = workdir.path / "pretrain" / WEIGHTS
    else:
        depends["pretrained"] = pathlib.Path(pretrained)
    weights = pathlib.Path(pretrained)
    if not weights.is_file():
        raise FileNotFoundError(f"There are no pretrained weights {weights}.")
    table = LatencyTable.load(latency_table)
    _check_table(table, latency_table, supernet, source.num_classes)
    return workdir.stage(
        "search",
        depends,
        lambda folder: search(folder, source, data, supernet, settings, table, weights, seed),
    )


def train_stage(
    path: PathLike,
    data: DataSettings,
    genotype: Genotype,
    settings: TrainSettings,
    seed: int,
    role: str = STUDENT,
    teacher: PathLike | None = None,
) -> pathlib.Path:
    """Trains the network of `genotype` into a folder named `role` and returns its file.

    Args:
        path: Folder of the run.
        data: Which images.
        genotype: The network.
        settings: How to train.
        seed: Seed of everything that is random.
        role: "teacher" or "student".
        teacher: `network.keras` of a trained teacher for a student to learn from, if any.

    Raises:
        ValueError: A setting is wrong, the finished stage had another one, or a teacher is to have
            a teacher.
        OSError: A folder or file is missing or cannot be written.
    """
    require(role in (TEACHER, STUDENT), f"The role is teacher or student. Received: {role!r}")
    require(
        role == STUDENT or teacher is None,
        f"A teacher learns from labels alone; leave out the teacher {teacher}, or train a student.",
    )
    require(settings.epochs >= 1, f"Training needs an epoch. Received: epochs={settings.epochs}")
    check_crop(settings.crop_size)
    workdir = Workdir(path)
    teacher = None if teacher is None else pathlib.Path(teacher)
    if teacher is not None and not teacher.is_file():
        raise FileNotFoundError(f"There is no trained teacher {teacher}.")
    source = _open(data, workdir, seed)
    depends = {"data": data, **_searched_supernet(workdir, role, genotype), "seed": seed}
    if role == STUDENT:
        depends |= _teacher_settings(workdir, teacher)
    depends |= {role: settings, f"{role}_genotype": genotype.id}
    folder = workdir.stage(
        role,
        depends,
        lambda folder: train(folder, source, data, genotype, settings, teacher, seed),
    )
    return folder / MODEL


def _open(data: DataSettings, workdir: Workdir, seed: int) -> SegmentationSource:
    source = open_source(data, workdir.path, seed)
    check_source(source, data)
    return source


def _finished(
    workdir: Workdir, name: str, supernet: SupernetSettings, tool: str, flag: str
) -> dict[str, Any]:
    record = workdir.recorded(name)
    if record is None:
        raise FileNotFoundError(
            f"{workdir.path} has no finished stage {name}; run `python -m {tool}` with this "
            f"workdir first, or name a file with --{flag}."
        )
    if record["supernet"] != plain(supernet):
        raise ValueError(
            f"{workdir.path / name} was made for another supernet: {record['supernet']}; give the "
            f"same one or another workdir. Received: {plain(supernet)}"
        )
    return record


def _check_table(
    table: LatencyTable, path: PathLike, supernet: SupernetSettings, num_classes: int
) -> None:
    # A row that a late epoch's candidate needs is missed now, not then.
    keys = required_keys(
        table.metadata.input_size,
        base_filters=supernet.base_filters,
        width_multipliers=supernet.width_multipliers,
        stem_head_width=supernet.student_width,
        num_classes=num_classes,
    )
    missing = table.missing(keys)
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of {len(keys)} operations of this space, such as "
            f"{missing[0]}; is it for other base filters, widths or classes?"
        )


def _searched_supernet(workdir: Workdir, role: str, genotype: Genotype) -> dict[str, Any]:
    """The supernet of the run's own search, if the genotype is that search's."""
    record = workdir.recorded("search")
    path = workdir.path / "search" / f"{role}.json"
    if record is None or not path.is_file() or Genotype.load(path).id != genotype.id:
        return {}
    return {"supernet": record["supernet"]}


def _teacher_settings(workdir: Workdir, teacher: pathlib.Path | None) -> dict[str, Any]:
    """What is recorded of the teacher: its own record if it is the run's own teacher."""
    record = workdir.recorded(TEACHER)
    if teacher is None or record is None:
        return {"teacher_network": teacher}
    if teacher.resolve() != (workdir.path / TEACHER / MODEL).resolve():
        return {"teacher_network": teacher}
    return {name: record[name] for name in ("teacher", "teacher_genotype")}
