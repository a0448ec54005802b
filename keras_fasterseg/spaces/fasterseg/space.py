"""FasterSeg's search space, an implementation of `SearchSpace`."""

import pathlib
from collections.abc import Mapping

import numpy as np

import keras_fasterseg.spaces.fasterseg.operations  # noqa: F401 - registers the primitives
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.base import Genes, SearchSpace, Size
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.latency_costs import latency_costs, required_keys
from keras_fasterseg.spaces.fasterseg.latency_penalty import LatencyPenalty
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.picture import lay_out
from keras_fasterseg.spaces.fasterseg.presets import preset_files
from keras_fasterseg.spaces.fasterseg.random_genotype import (
    genes,
    genotype_of_genes,
    random_genotype,
)
from keras_fasterseg.spaces.fasterseg.search_model import FasterSegSearch
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.stages import network_stages
from keras_fasterseg.spaces.fasterseg.work import supernet_keys, supernet_work
from keras_fasterseg.spaces.picture import Picture
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.spaces.stage import Stage


class FasterSegSpace(SearchSpace):
    """Slimmable multi-resolution cells; one supernet serves teacher and student.

    Reference:
        FasterSeg (Chen et al., ICLR 2020, https://arxiv.org/abs/1912.10917).
    """

    name = "fasterseg"
    roles = (TEACHER, STUDENT)
    families = ("alpha", "beta", "gamma")
    settings_class = FasterSegSettings
    genotype = FasterSegGenotype
    network = FasterSegNetwork
    settings_a_step = 4
    penalty_shares = ("paper", "code", "auto", "undivided")

    settings: FasterSegSettings

    def record(self):
        # Workdirs from before other search spaces existed do not name one.
        return {"supernet": self.settings}

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> FasterSegSearch:
        return FasterSegSearch(self.settings, num_classes, seed, dtype)

    def penalty(
        self, table: LatencyTable, num_classes: int, target_ms: float, shares: str = "paper"
    ) -> LatencyPenalty:
        """The latency divided by the target.

        `shares` is "paper", "code", "auto" or "undivided"; see `LatencyPenalty.of`.
        """
        costs = latency_costs(table, **self._widths_of(STUDENT))
        return LatencyPenalty.of(costs, target_ms, shares, self.settings.num_layers)

    def required_keys(self, size: Size, num_classes: int, role: str = STUDENT) -> tuple[OpKey, ...]:
        return required_keys(size, **self._widths_of(role), num_classes=num_classes)

    def supernet_keys(self, size: Size, num_classes: int) -> list[OpKey]:
        return supernet_keys(self.settings, size, num_classes)

    def supernet_work(self, size: Size, num_classes: int) -> Work:
        return supernet_work(self.settings, size, num_classes)

    # Type checkers expect any genotype here, but a search space accepts only its own.
    def stages(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, genotype: FasterSegGenotype, size: Size, num_classes: int
    ) -> tuple[Stage, ...]:
        return network_stages(genotype, size, num_classes)

    def random_genotype(self, generator: np.random.Generator) -> FasterSegGenotype:
        return random_genotype(
            generator, **self._widths_of(STUDENT), num_layers=self.settings.num_layers
        )

    def genes(self) -> dict[str, tuple[int, ...]]:
        return genes(self.settings.num_layers, len(self.settings.width_multipliers))

    def from_genes(self, genes: Genes) -> FasterSegGenotype:
        return genotype_of_genes(
            genes, **self._widths_of(STUDENT), num_layers=self.settings.num_layers
        )

    def largest_genotype(self, role: str = STUDENT) -> FasterSegGenotype:
        widths = self.settings.stem_head_widths
        return largest_genotype(self.settings.num_layers, self.settings.base_filters, widths[role])

    @classmethod
    def presets(cls) -> Mapping[str, pathlib.Path]:
        return preset_files()

    def picture(self, genotype: FasterSegGenotype, width: float, serving: bool = False) -> Picture:  # pyright: ignore[reportIncompatibleMethodOverride]
        return lay_out(genotype, width, serving)

    def _widths_of(self, role: str) -> dict:
        return {
            "base_filters": self.settings.base_filters,
            "width_multipliers": self.settings.width_multipliers,
            "stem_head_width": self.settings.stem_head_widths[role],
        }
