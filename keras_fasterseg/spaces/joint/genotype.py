"""Genotype of the joint space: the blocks of a derived network, stored as JSON."""

import dataclasses
from typing import Any

from keras_fasterseg.files import shown
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.genotype import Genotype, check_integer, check_keys, check_list
from keras_fasterseg.spaces.joint.settings import (
    LARGEST_DEPTH,
    LARGEST_DILATION,
    LARGEST_FILTERS,
)


@dataclasses.dataclass(frozen=True)
class JointBlock:
    """One block of a derived network; see `FactorizedBlock`.

    Attributes:
        dilation: Dilation of both convolutions.
        pooled: Whether the convolutions run at half of the block's resolution.
        middle: Filters of the first convolution.
        filters: Filters of the second convolution, and of the block's output.

    Raises:
        ValueError: A field has the wrong type or is out of range.
    """

    dilation: int
    pooled: bool
    middle: int
    filters: int

    def __post_init__(self) -> None:
        require(
            isinstance(self.pooled, bool),
            f"pooled must be true or false. Received: pooled={shown(self.pooled)}",
        )
        _set_integer(self, "dilation", 1, LARGEST_DILATION)
        _set_integer(self, "middle", 1, LARGEST_FILTERS)
        _set_integer(self, "filters", 1, LARGEST_FILTERS)


@dataclasses.dataclass(frozen=True)
class JointGenotype(Genotype):
    """Derived network: everything needed to build it.

    Attributes:
        space: Name of the search space, "joint".
        stem_filters: Filters at 1/2 of the image size, above 3.
        early_filters: Largest number of filters of a block at 1/4, above `stem_filters`.
        late_filters: Largest number of filters of a block at 1/8, above `early_filters`.
        early: Blocks at 1/4, one or more.
        late: Blocks at 1/8, one or more.

    Raises:
        ValueError: The fields do not describe a network; the message names the field.
    """

    stem_filters: int
    early_filters: int
    late_filters: int
    early: tuple[JointBlock, ...]
    late: tuple[JointBlock, ...]

    def __post_init__(self) -> None:
        require(self.space == "joint", f"space must be 'joint'. Received: {shown(self.space)}")
        smallest = 4  # a downsampler passes its input channels on and adds at least one
        for stage in ("stem", "early", "late"):
            name = f"{stage}_filters"
            _set_integer(self, name, smallest, LARGEST_FILTERS)
            smallest = getattr(self, name) + 1
        for stage in ("early", "late"):
            object.__setattr__(self, stage, tuple(getattr(self, stage)))
            self._check_stage(stage)

    def _check_stage(self, stage: str) -> None:
        blocks, largest = getattr(self, stage), getattr(self, f"{stage}_filters")
        require(
            1 <= len(blocks) <= LARGEST_DEPTH,
            f"{stage} must have 1 to {LARGEST_DEPTH} blocks. Received: {len(blocks)} blocks",
        )
        for index, block in enumerate(blocks):
            require(
                max(block.middle, block.filters) <= largest,
                f"{stage}[{index}] must have at most {stage}_filters={largest} filters. "
                f"Received: middle={block.middle}, filters={block.filters}",
            )

    def summary(self) -> dict[str, Any]:
        """Dilations of the blocks and numbers of the pooled ones (from 0), by stage."""
        facts = {}
        for stage, blocks in (("early", self.early), ("late", self.late)):
            facts[f"{stage}_dilations"] = [block.dilation for block in blocks]
            facts[f"{stage}_pooled"] = [i for i, block in enumerate(blocks) if block.pooled]
        return facts

    def _content(self) -> dict[str, Any]:
        blocks = {
            stage: [dataclasses.asdict(block) for block in getattr(self, stage)]
            for stage in ("early", "late")
        }
        return super()._content() | blocks

    @classmethod
    def _from_content(cls, space: str, content: dict[str, Any]) -> "JointGenotype":
        blocks = {
            stage: _blocks(content[stage], stage) for stage in ("early", "late") if stage in content
        }
        return super()._from_content(space, content | blocks)


def _set_integer(instance: Any, name: str, minimum: int, maximum: int) -> None:
    value = check_integer(name, getattr(instance, name), minimum, maximum)
    object.__setattr__(instance, name, value)


def _blocks(value: Any, where: str) -> tuple[JointBlock, ...]:
    names = [field.name for field in dataclasses.fields(JointBlock)]
    blocks = []
    for index, block in enumerate(check_list(value, where)):
        check_keys(block, names, f"{where}[{index}]")
        try:
            blocks.append(JointBlock(**block))
        except ValueError as error:
            raise ValueError(f"{where}[{index}]: {error}") from error
    return tuple(blocks)
