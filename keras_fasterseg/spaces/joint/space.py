"""The joint search space, an implementation of `SearchSpace`."""

import pathlib
from collections.abc import Mapping

import numpy as np

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.base import Genes, SearchSpace, Size
from keras_fasterseg.spaces.joint.choices import operations
from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype
from keras_fasterseg.spaces.joint.largest import largest_choices
from keras_fasterseg.spaces.joint.network import JointNetwork
from keras_fasterseg.spaces.joint.penalty import FlopsPenalty, LatencyPenalty
from keras_fasterseg.spaces.joint.picture import lay_out
from keras_fasterseg.spaces.joint.presets import preset_files
from keras_fasterseg.spaces.joint.search_model import JointSearch, derive
from keras_fasterseg.spaces.joint.settings import JointSettings
from keras_fasterseg.spaces.joint.stages import network_stages, required_keys, supernet_keys
from keras_fasterseg.spaces.picture import Picture
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.spaces.stage import Stage


class JointSpace(SearchSpace):
    """Depth, dilation, resolution and widths of a chain of residual blocks, searched together.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """

    name = "joint"
    roles = (TEACHER, STUDENT)
    families = ("depth", "operation", "middle", "last")
    settings_class = JointSettings
    genotype = JointGenotype
    network = JointNetwork
    single_level = True
    pretrains = False
    has_own_ssr = True

    settings: JointSettings

    def search_model(self, num_classes: int, seed: int, dtype: str = "float32") -> JointSearch:
        return JointSearch(self.settings, num_classes, seed, dtype)

    def penalty(
        self, table: LatencyTable, num_classes: int, target_ms: float, shares: str = "paper"
    ) -> LatencyPenalty | FlopsPenalty:
        """The square of the relative deviation from the target; `cost` chooses the cost.

        It is a single term: `shares` must be "paper".

        Raises:
            ValueError: The target is not positive, or `shares` is unknown.
            KeyError: A row is missing in the table.
        """
        self.check_single_term(shares)
        if self.settings.cost == "flops":
            return FlopsPenalty(self.settings)
        return LatencyPenalty(self.settings, table, num_classes, target_ms)

    def required_keys(self, size: Size, num_classes: int, role: str = STUDENT) -> tuple[OpKey, ...]:
        return required_keys(self.settings, size, num_classes)

    def supernet_keys(self, size: Size, num_classes: int) -> list[OpKey]:
        return supernet_keys(self.settings, size, num_classes)

    # Type checkers expect any genotype here, but a search space accepts only its own.
    def stages(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, genotype: JointGenotype, size: Size, num_classes: int
    ) -> tuple[Stage, ...]:
        return network_stages(genotype, size, num_classes)

    def random_genotype(self, generator: np.random.Generator) -> JointGenotype:
        """Draws depths, operations and widths, each uniformly among its choices."""
        settings = self.settings
        return self._genotype(
            *(
                self._random_blocks(generator, most, filters)
                for most, filters in (
                    (settings.early_blocks, settings.early_filters),
                    (settings.late_blocks, settings.late_filters),
                )
            )
        )

    def _random_blocks(
        self, generator: np.random.Generator, most: int, filters: int
    ) -> tuple[JointBlock, ...]:
        count = generator.integers(1, most, endpoint=True) if self.settings.choose_depth else most
        widths = self.settings.widths(filters)
        return tuple(
            JointBlock(
                generator.choice(self.settings.dilations),
                bool(generator.integers(2)),
                generator.choice(widths),
                generator.choice(widths),
            )
            for _ in range(count)
        )

    def genes(self) -> dict[str, tuple[int, ...]]:
        settings = self.settings
        blocks = settings.early_blocks + settings.late_blocks
        depths = settings.early_blocks, settings.late_blocks
        return {
            "depth": depths if settings.choose_depth else (1, 1),
            "operation": (len(operations(settings)),) * blocks,
            "middle": (settings.filter_choices,) * blocks,
            "last": (settings.filter_choices,) * blocks,
        }

    def from_genes(self, genes: Genes) -> JointGenotype:
        settings, every = self.settings, operations(self.settings)
        depths = (settings.early_blocks, settings.late_blocks)
        if settings.choose_depth:
            depths = tuple(1 + index for index in genes["depth"])
        found = []
        for first, depth, filters in (
            (0, depths[0], settings.early_filters),
            (settings.early_blocks, depths[1], settings.late_filters),
        ):
            widths = settings.widths(filters)
            found.append(
                tuple(
                    JointBlock(
                        every[genes["operation"][row]].dilation,
                        every[genes["operation"][row]].pooled,
                        widths[genes["middle"][row]],
                        widths[genes["last"][row]],
                    )
                    for row in range(first, first + depth)
                )
            )
        return self._genotype(*found)

    def largest_genotype(self, role: str = STUDENT) -> JointGenotype:
        return derive(largest_choices(self.settings), self.settings)

    def _genotype(
        self, early: tuple[JointBlock, ...], late: tuple[JointBlock, ...]
    ) -> JointGenotype:
        settings = self.settings
        filters = settings.stem_filters, settings.early_filters, settings.late_filters
        return JointGenotype(self.name, *filters, early, late)

    def picture(self, genotype: JointGenotype, width: float, serving: bool = False) -> Picture:  # pyright: ignore[reportIncompatibleMethodOverride]
        return lay_out(genotype, width, serving)

    @classmethod
    def presets(cls) -> Mapping[str, pathlib.Path]:
        return preset_files()
