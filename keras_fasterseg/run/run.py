"""A run: its folder, its data and their records."""

import functools
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from keras_fasterseg import workers
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import PathLike
from keras_fasterseg.run.datasets import check_source, open_source
from keras_fasterseg.run.inputs import Input, network_input
from keras_fasterseg.run.names import LATENCY_TABLE, NETWORK
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.setting import require
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.base import SearchSpace

TABLE_INPUT = "the latency table"


class Run:
    """Folder, data and seed shared by the stages of one run.

    Every stage records what it depends on. A finished stage is not repeated, and a stopped one
    resumes from its checkpoints; both refuse other settings.

    Args:
        path: Folder of the run; created if missing.
        data: Settings of the data.
        seed: Seed of all random choices.

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
        """The data set, checked: every file of both splits has been opened once.

        Of several workers, only the chief generates and checks it; the others wait until then.
        """
        if not workers.is_chief():
            workers.chief_decides()
            return open_source(self.data, self.path, self.seed, progress=False)
        source = open_source(self.data, self.path, self.seed)
        check_source(source, self.data)
        workers.chief_decides()
        return source

    @property
    def table(self) -> pathlib.Path:
        """Path of the table that the stage `latency` writes."""
        return self.path / "latency" / LATENCY_TABLE

    def network(self, role: str) -> pathlib.Path:
        """Returns the path of the network that the stage `role` writes."""
        return self.path / role / NETWORK

    def scored_inputs(self, stages: Iterable[str]) -> dict[str, Input]:
        """Returns the inputs of a stage that scores networks on the validation split."""
        return {**self.splits(self.data.val_split), **self.networks(stages)}

    def networks(self, stages: Iterable[str]) -> dict[str, Input]:
        """Returns the inputs of a stage that reads the networks of `stages`."""
        return {f"the network of {name}": network_input(self.network(name)) for name in stages}

    def splits(self, *splits: str) -> dict[str, Input]:
        """Returns the content of splits, as stages record it."""
        return {f"the split {split!r}": self._split(split) for split in splits}

    def _split(self, split: str) -> Input:
        if not workers.is_chief():
            # Only the chief records it.
            return Input(str(self.source.root), "")
        # Repeated for every stage: a run may last for days, and files may change meanwhile.
        return self.workdir.input_files.split(self.source, split)

    def trained_on(self) -> dict[str, Any]:
        """Returns the record of the images that a network is trained on."""
        parts = self.source.parts(self.data.train_split)
        return {
            "data_set": self.source.name,
            "splits": {part: self._split(part).sha256 for part in parts},
        }

    def data_record(self) -> dict[str, Any]:
        """Returns the record of the data: settings, classes and the data set's own definition."""
        definition = self.source.definition()
        return {
            "data": self.data,
            "classes": self.source.class_names,
            **({"data_set": definition} if definition else {}),
        }


def if_there(read: Callable[[pathlib.Path], Input], path: PathLike) -> Input | None:
    """Returns `read(path)`; `None` if the file is gone, as one read by a finished stage may be."""
    return read(pathlib.Path(path)) if pathlib.Path(path).is_file() else None


def stages_of(space: SearchSpace, search: SearchSettings | None = None) -> tuple[str, ...]:
    """Returns the names of the stages of a run that searches `space`, in order."""
    search = search or SearchSettings()
    pretrain = ("pretrain",) if space.pretrains and search.uses_weights else ()
    return ("latency", *pretrain, "search", *space.roles, "export", "benchmark")
