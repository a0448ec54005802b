"""A run: its folder, its data, and its stages, each done once and recorded."""

import functools
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from absl import logging

from keras_fasterseg.classes import check_same_classes
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import PathLike, read_json, write_json
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.jobs.benchmark import benchmark
from keras_fasterseg.jobs.checks import check_data, check_images
from keras_fasterseg.jobs.evaluate import evaluate
from keras_fasterseg.jobs.export import export
from keras_fasterseg.jobs.measure_latency import check_latency, measure_latency, table_keys
from keras_fasterseg.jobs.pretrain import pretrain
from keras_fasterseg.jobs.search import check_search, search
from keras_fasterseg.jobs.train import check_training, train
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.datasets import check_source, open_source
from keras_fasterseg.run.inputs import Input, file_input, network_input, table_input
from keras_fasterseg.run.latency_tables import load_table
from keras_fasterseg.run.names import LATENCY_TABLE, NETWORK, RECORD, SUPERNET_WEIGHTS
from keras_fasterseg.run.prolonging import check_prolonging, more_epochs
from keras_fasterseg.run.workdir import Workdir, plain
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.settings.stages import (
    BenchmarkSettings,
    DataSettings,
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    SupernetSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER

# All of them are scored next, by the SavedModel.
PROOF_IMAGES = 4
_TABLE_INPUT = "the latency table"
STAGES = ("latency", "pretrain", "search", TEACHER, STUDENT, "export", "benchmark")


class Run:
    """The stages of one run, for the whole road and for tools that do one of them.

    Every stage leaves a record of what it depends on. One that is finished is not done again, one
    that was stopped goes on from its checkpoints, and neither with other settings.

    Args:
        path: Folder of the run; made if it is missing.
        data: Which images.
        seed: Seed of everything that is random.

    Raises:
        ValueError: The seed is negative.
        OSError: The folder cannot be written.
    """

    def __init__(self, path: PathLike, data: DataSettings | None = None, seed: int = 0):
        require(seed >= 0, f"The seed must not be negative. Received: seed={seed}")
        self.workdir = Workdir(path)
        self.path = self.workdir.path
        self.data = data or DataSettings()
        self.seed = seed

    @functools.cached_property
    def source(self) -> SegmentationSource:
        """The data set; every file of it has been opened once."""
        source = open_source(self.data, self.path, self.seed)
        check_source(source, self.data)
        return source

    @property
    def table(self) -> pathlib.Path:
        """Where the stage `latency` leaves its table."""
        return self.path / "latency" / LATENCY_TABLE

    def network(self, role: str) -> pathlib.Path:
        """Where the stage `role` leaves its network."""
        return self.path / role / NETWORK

    def measure_latency(
        self, supernet: SupernetSettings, settings: LatencySettings, num_classes: int
    ) -> pathlib.Path:
        """Measures the space's operations into `latency/` and returns the table's file.

        Raises:
            ValueError: A setting is wrong, or the stage had another one.
            OSError: The folder cannot be written.
        """
        require(num_classes >= 1, f"A table needs a class. Received: num_classes={num_classes}")
        if self.workdir.recorded("latency") is None:
            check_latency(settings, supernet, num_classes)
        inputs = {}
        if settings.latency_table is not None:
            inputs[_TABLE_INPUT] = _if_there(table_input, settings.latency_table)
        self.workdir.stage(
            "latency",
            {"supernet": supernet, "latency": settings, "num_classes": num_classes},
            lambda folder: measure_latency(folder, supernet, settings, num_classes),
            partial=LATENCY_TABLE,
            inputs=inputs,
        )
        return self.table

    def pretrain(self, supernet: SupernetSettings, settings: PretrainSettings) -> pathlib.Path:
        """Trains the supernet's weights into `pretrain/` and returns their file.

        Raises:
            ValueError: A setting is wrong, or the stage had another one.
            OSError: A folder is missing or cannot be written.
        """
        check_settings(settings, "--pretrain_")
        if self.workdir.recorded("pretrain") is None:
            check_images("pretrain", settings, check_data(self.data))
        source = self.source
        folder = self.workdir.stage(
            "pretrain",
            {**self._data(), "supernet": supernet, "seed": self.seed, "pretrain": settings},
            lambda folder: pretrain(folder, source, self.data, supernet, settings, self.seed),
            inputs=self._splits(self.data.train_split),
        )
        return folder / SUPERNET_WEIGHTS

    def search(
        self,
        supernet: SupernetSettings,
        settings: SearchSettings,
        pretrained: PathLike | None = None,
        latency_table: PathLike | None = None,
    ) -> dict[str, Genotype]:
        """Searches into `search/` and returns the genotypes by role.

        Args:
            supernet: Which supernet.
            settings: How to search.
            pretrained: Weights to begin with; `None` takes those of the stage `pretrain`.
            latency_table: The table; `None` takes that of the stage `latency`.

        Raises:
            ValueError: A setting is wrong, the stage had another one, or the weights or the table
                are of another supernet.
            OSError: A folder or file is missing or cannot be written.
        """
        check_search(settings)
        if latency_table is not None:
            load_table(latency_table)
        if pretrained is not None and not pathlib.Path(pretrained).is_file():
            raise FileNotFoundError(f"There are no pretrained weights {pretrained}.")
        if self.workdir.recorded("search") is None:
            check_images("search", settings, check_data(self.data))
        source = self.source
        depends: dict[str, Any] = {
            **self._data(),
            "supernet": supernet,
            "seed": self.seed,
            "num_classes": source.num_classes,
            "search": settings,
        }
        threads = None
        if latency_table is None:
            record = self._finished("latency", supernet, "tools.measure_latency", "latency_table")
            depends["latency"] = record["latency"]
            threads = record["latency"].get("latency_threads")
            latency_table = self.table
        if pretrained is None:
            record = self._finished("pretrain", supernet, "tools.pretrain_supernet", "pretrained")
            depends["pretrain"] = record["pretrain"]
            pretrained = self.path / "pretrain" / SUPERNET_WEIGHTS
        weights = pathlib.Path(pretrained)
        if not weights.is_file():
            raise FileNotFoundError(f"There are no pretrained weights {weights}.")
        _check_pretrained(weights, source)
        table = load_table(latency_table, threads=threads)
        _check_table(table, latency_table, supernet, source.num_classes)
        inputs = {
            **self._splits(self.data.train_split, self.data.val_split),
            _TABLE_INPUT: table_input(pathlib.Path(latency_table)),
            "the pretrained weights": file_input(weights),
        }
        folder = self.workdir.stage(
            "search",
            depends,
            lambda folder: search(
                folder, source, self.data, supernet, settings, table, weights, self.seed
            ),
            inputs=inputs,
        )
        return {role: Genotype.load(folder / f"{role}.json") for role in (TEACHER, STUDENT)}

    def train(
        self,
        genotype: Genotype,
        settings: TrainSettings,
        role: str = STUDENT,
        teacher: PathLike | None = None,
        name: str | None = None,
    ) -> pathlib.Path:
        """Trains the network of `genotype` into a folder of its own and returns its file.

        A finished training is prolonged by more epochs if nothing else is changed, where its
        schedule does not depend on them.

        Args:
            genotype: The network.
            settings: How to train.
            role: "teacher" or "student".
            teacher: `network.keras` of a trained teacher for a student to learn from, if any.
            name: Name of the stage and its folder; `None` names it as the role.

        Raises:
            ValueError: A setting is wrong, the stage had another one, or a teacher is to have a
                teacher.
            OSError: A folder or file is missing or cannot be written.
        """
        require(role in (TEACHER, STUDENT), f"The role is teacher or student. Received: {role!r}")
        require(
            role == STUDENT or teacher is None,
            f"A teacher learns from labels alone; leave out the teacher {teacher}, or train a "
            "student.",
        )
        name = name or role
        teacher = None if teacher is None else pathlib.Path(teacher)
        if teacher is not None and not teacher.is_file():
            raise FileNotFoundError(f"There is no trained teacher {teacher}.")
        recorded = self.workdir.recorded(name)
        grows = recorded is not None and recorded.get(role, {}).get("epochs", 0) < settings.epochs
        if recorded is None or grows:
            facts = check_data(self.data)
            check_training(settings, facts.class_names, genotype)
            check_images(role, settings, facts)
        source = self.source
        depends = {**self._data(), **self._supernet_of(role, genotype), "seed": self.seed}
        if role == STUDENT:
            depends |= self._settings_of(teacher)
        depends |= {role: settings, f"{role}_genotype": genotype.id}
        inputs: dict[str, Input | None] = {
            **self._splits(self.data.train_split, self.data.val_split)
        }
        if teacher is not None:
            inputs["the teacher"] = network_input(teacher)
        if settings.initial_weights is not None:
            inputs["the initial weights"] = _if_there(network_input, settings.initial_weights)
        prolong = more_epochs(recorded, plain(depends), role) > 0
        if prolong:
            check_prolonging(self.workdir, name, role, plain(settings))
        trained_on = self._trained_on()
        folder = self.workdir.stage(
            name,
            depends,
            lambda folder: train(
                folder, source, self.data, genotype, settings, teacher, self.seed, trained_on
            ),
            inputs=inputs,
            keep_checkpoint=True,
            prolong=prolong,
        )
        return folder / NETWORK

    def export(self) -> pathlib.Path:
        """Exports and scores both trained networks into `export/` and returns that folder.

        It has `{teacher,student}/1`, SavedModels, and `{teacher,student}.json`, their scores on the
        validation split.

        Raises:
            OSError: A network is not trained, or the folder cannot be written.
        """
        # What the student depends on includes what the teacher does: a network trained anew is
        # exported anew.
        depends = self.workdir.recorded(STUDENT)
        if depends is None or self.workdir.recorded(TEACHER) is None:
            raise FileNotFoundError(f"{self.path} has no finished stages teacher and student.")
        source = self.source

        def run(folder: pathlib.Path) -> None:
            for role in (TEACHER, STUDENT):
                target = folder / role / "1"
                self.export_proven(self.network(role), target)
                result = evaluate(target, source, self.data.val_split)
                logging.info("%s: mIoU %.4f by the SavedModel", role, result.miou)
                write_json(folder / f"{role}.json", result.to_json())

        inputs = self.scored_inputs((TEACHER, STUDENT))
        return self.workdir.stage("export", depends, run, inputs=inputs)

    def scored_inputs(self, stages: Iterable[str]) -> dict[str, Input]:
        """Inputs of a stage that scores the networks of `stages` on the validation split."""
        return {**self._splits(self.data.val_split), **self._networks(stages)}

    def _networks(self, stages: Iterable[str]) -> dict[str, Input]:
        return {f"the network of {name}": network_input(self.network(name)) for name in stages}

    def export_proven(self, network: pathlib.Path, target: pathlib.Path) -> None:
        """Exports a trained network as a SavedModel, proven on a few images of the run's data."""
        settings = ExportSettings(proof_images=PROOF_IMAGES)
        export(
            network,
            target,
            settings,
            self.source,
            val_split=self.data.val_split,
            overwrite=True,
        )

    def benchmark(self, settings: BenchmarkSettings) -> pathlib.Path:
        """Measures both SavedModels into `benchmark/{teacher,student}.json`; returns the folder.

        Raises:
            OSError: Nothing is exported, or the folder cannot be written.
        """
        depends = self.workdir.recorded("export")
        if depends is None:
            raise FileNotFoundError(f"{self.path} has no finished stage export.")
        ids = {role: depends[f"{role}_genotype"] for role in (TEACHER, STUDENT)}

        def run(folder: pathlib.Path) -> None:
            for role in (TEACHER, STUDENT):
                benchmark(self.path / "export" / role / "1", settings).save(folder / f"{role}.json")

        return self.workdir.stage(
            "benchmark",
            {"benchmark": settings, "genotypes": ids},
            run,
            inputs=self._networks((TEACHER, STUDENT)),
        )

    def _splits(self, *splits: str) -> dict[str, Input]:
        """Their content, as it is recorded."""
        return {f"the split {split!r}": self._split(split) for split in splits}

    def _split(self, split: str) -> Input:
        # Anew for every stage: a run may last for days, in which files change.
        return self.workdir.input_files.split(self.source, split)

    def _trained_on(self) -> dict[str, Any]:
        """Record of the images that a network is trained on."""
        parts = self.source.parts(self.data.train_split)
        return {
            "data_set": self.source.name,
            "splits": {part: self._split(part).sha256 for part in parts},
        }

    def _data(self) -> dict[str, Any]:
        """Record of the data: settings, classes, and the definitions in its own files."""
        definition = self.source.definition()
        return {
            "data": self.data,
            "classes": self.source.class_names,
            **({"data_set": definition} if definition else {}),
        }

    def _finished(
        self, name: str, supernet: SupernetSettings, tool: str, flag: str
    ) -> dict[str, Any]:
        record = self.workdir.recorded(name)
        if record is None:
            raise FileNotFoundError(
                f"{self.path} has no finished stage {name}; run `python -m {tool}` with this "
                f"workdir first, or name a file with --{flag}."
            )
        if record["supernet"] != plain(supernet):
            raise ValueError(
                f"{self.path / name} was made for another supernet: {record['supernet']}; give the "
                f"same one or another workdir. Received: {plain(supernet)}"
            )
        return record

    def _supernet_of(self, role: str, genotype: Genotype) -> dict[str, Any]:
        """The supernet of the run's own search, if the genotype is that search's."""
        record = self.workdir.recorded("search")
        path = self.path / "search" / f"{role}.json"
        if record is None or not path.is_file() or Genotype.load(path).id != genotype.id:
            return {}
        return {"supernet": record["supernet"]}

    def _settings_of(self, teacher: pathlib.Path | None) -> dict[str, Any]:
        """What is recorded of the teacher: its own record if it is the run's own teacher."""
        record = self.workdir.recorded(TEACHER)
        if teacher is None or record is None:
            return {}
        if teacher.resolve() != self.network(TEACHER).resolve():
            return {}
        return {name: record[name] for name in ("teacher", "teacher_genotype")}


def _if_there(read: Callable[[pathlib.Path], Input], path: str) -> Input | None:
    """The result of `read`, or `None`: a file that a finished stage has read may be gone."""
    return read(pathlib.Path(path)) if pathlib.Path(path).is_file() else None


def _check_pretrained(weights: pathlib.Path, source: SegmentationSource) -> None:
    """Refuses weights that a stage has recorded for other classes; other files say nothing."""
    record = weights.parent / RECORD
    settings = read_json(record).get("settings", {}) if record.is_file() else {}
    names = settings.get("classes")
    if names is not None:
        whose = f"The supernet of {weights}"
        check_same_classes(names, None, whose, source.class_names, source.name)


def _check_table(
    table: LatencyTable, path: PathLike, supernet: SupernetSettings, num_classes: int
) -> None:
    # A row that a late epoch's candidate needs is missed now, not then.
    keys = table_keys(supernet, table.metadata.input_size, num_classes)
    missing = table.missing(keys)
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of {len(keys)} operations of this space, such as "
            f"{missing[0]}; is it for other base filters, widths or classes?"
        )
