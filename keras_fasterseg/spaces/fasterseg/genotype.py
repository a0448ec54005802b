"""Genotype of FasterSeg: the cells of a derived network, with kind and width, stored as JSON."""

import dataclasses
import numbers
from collections.abc import Sequence
from typing import Any

from keras_fasterseg.files import shown
from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.settings import MAXIMUM_BASE_FILTERS, MAXIMUM_LAYERS
from keras_fasterseg.spaces.genotype import Genotype, check_integer, check_keys, check_list

SCALES = (8, 16, 32)


@dataclasses.dataclass(frozen=True)
class CellGenotype:
    """One cell of a derived network.

    Attributes:
        layer: Layer of the cell in the supernet, counted from 0 and including removed cells. Its
            weights are inherited by (layer, scale).
        scale: Downsampling rate of its input: 8, 16 or 32.
        primitive: One of `PRIMITIVES`.
        stride: 1, or 2 for a cell that descends to the next scale.
        width: Width multiplier of its output, in (0, 1].

    Raises:
        ValueError: A field has the wrong type or is out of range.
    """

    layer: int
    scale: int
    primitive: str
    stride: int
    width: float

    def __post_init__(self) -> None:
        _check_choice("scale", self.scale, SCALES)
        _check_choice("primitive", self.primitive, PRIMITIVES)
        _check_choice("stride", self.stride, (1, 2))
        # The stem ends at 1/8, and a layer descends by at most one scale.
        lowest = SCALES.index(self.scale)
        check_integer("layer", self.layer, lowest, MAXIMUM_LAYERS, f" at scale {self.scale}")
        _check_width("width", self.width)


@dataclasses.dataclass(frozen=True)
class BranchGenotype:
    """Cells from the stem to one output of the trunk.

    Attributes:
        scale: Downsampling rate at which the branch ends: 8, 16 or 32.
        cells: Its cells, in execution order.

    Raises:
        ValueError: The cells are not a path from scale 8 to `scale` through increasing layers.
    """

    scale: int
    cells: tuple[CellGenotype, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", tuple(self.cells))
        _check_choice("scale", self.scale, SCALES)
        if not self.cells:
            raise ValueError(f"The branch to scale {self.scale} has no cells; give at least one.")
        scale, layer = SCALES[0], -1
        for position, cell in enumerate(self.cells):
            where = f"Cell {position} of the branch to scale {self.scale}"
            if cell.scale != scale:
                raise ValueError(
                    f"{where} has scale {cell.scale}, but its input has scale {scale}. A branch "
                    "starts at scale 8, and only cells of stride 2 double the scale."
                )
            if cell.layer <= layer:
                raise ValueError(
                    f"{where} has layer {cell.layer} after layer {layer}; "
                    "layers must increase strictly along a branch."
                )
            scale, layer = cell.scale * cell.stride, cell.layer
        if scale != self.scale:
            raise ValueError(
                f"The cells of the branch to scale {self.scale} end at scale {scale}; "
                "both scales must be equal."
            )
        if self.cells[-1].stride != 1:
            raise ValueError(
                f"The last cell of the branch to scale {self.scale} has stride "
                f"{self.cells[-1].stride}; it must have stride 1."
            )


@dataclasses.dataclass(frozen=True)
class FasterSegGenotype(Genotype):
    """Derived network: everything needed to build it and to inherit its weights.

    Attributes:
        space: Name of the search space, "fasterseg".
        base_filters: Filters per unit of scale, F in the paper (12).
        num_layers: Number of layers of the supernet.
        stem_width: Width multiplier of the stem, in (0, 1].
        head_width: Width multiplier of the heads and of every branch's last cell, in (0, 1].
        branches: One or more branches that end at different scales, in the order in which the
            decoder joins their outputs.

    Raises:
        ValueError: The fields do not describe a network; the message names the field.
    """

    space: str
    base_filters: int
    num_layers: int
    stem_width: float
    head_width: float
    branches: tuple[BranchGenotype, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "branches", tuple(self.branches))
        if self.space != "fasterseg":
            raise ValueError(f"space must be 'fasterseg'. Received: space={shown(self.space)}")
        check_integer("base_filters", self.base_filters, 1, MAXIMUM_BASE_FILTERS)
        check_integer("num_layers", self.num_layers, 1, MAXIMUM_LAYERS)
        _check_width("stem_width", self.stem_width)
        _check_width("head_width", self.head_width)
        if not self.branches:
            raise ValueError("branches is empty; a genotype needs at least one branch.")
        scales = [branch.scale for branch in self.branches]
        if len(set(scales)) != len(scales):
            raise ValueError(f"Branches must end at different scales. Received: scales={scales}")
        for branch in self.branches:
            self._check_branch(branch)

    def _check_branch(self, branch: BranchGenotype) -> None:
        last = branch.cells[-1]
        if last.layer >= self.num_layers:
            raise ValueError(
                f"The branch to scale {branch.scale} has a cell at layer {last.layer}, but "
                f"num_layers={self.num_layers} allows layers up to {self.num_layers - 1}."
            )
        if last.width != self.head_width:
            raise ValueError(
                f"The last cell of the branch to scale {branch.scale} has width {last.width}; it "
                f"must be the head width {self.head_width}."
            )
        width = self.stem_width
        for position, cell in enumerate(branch.cells):
            if cell.primitive == "skip" and cell.stride == 1 and cell.width != width:
                raise ValueError(
                    f"Cell {position} of the branch to scale {branch.scale} is a skip of stride 1 "
                    f"from width {width} to width {cell.width}; both widths must be equal, because "
                    "a derived network runs such a skip as the identity."
                )
            width = cell.width

    def summary(self) -> dict[str, Any]:
        """Branches by number in the released code (0: 1/8, 1: 1/16, 2: 1/32) and by scale."""
        scales = [branch.scale for branch in self.branches]
        return {"branches": [SCALES.index(scale) for scale in scales], "branch_scales": scales}

    def _content(self) -> dict[str, Any]:
        return {
            "base_filters": int(self.base_filters),
            "num_layers": int(self.num_layers),
            "stem_width": float(self.stem_width),
            "head_width": float(self.head_width),
            "branches": [
                {
                    "scale": int(branch.scale),
                    "cells": [
                        {
                            "layer": int(cell.layer),
                            "scale": int(cell.scale),
                            "primitive": cell.primitive,
                            "stride": int(cell.stride),
                            "width": float(cell.width),
                        }
                        for cell in branch.cells
                    ],
                }
                for branch in self.branches
            ],
        }

    @classmethod
    def _from_content(cls, space: str, content: dict[str, Any]) -> "FasterSegGenotype":
        names = [field.name for field in dataclasses.fields(cls) if field.name != "space"]
        check_keys(content, names, "the genotype")
        branches = []
        for index, branch in enumerate(check_list(content["branches"], "branches")):
            where = f"branches[{index}]"
            check_keys(branch, ("scale", "cells"), where)
            cells = []
            for position, cell in enumerate(check_list(branch["cells"], f"{where}.cells")):
                fields = [field.name for field in dataclasses.fields(CellGenotype)]
                check_keys(cell, fields, f"{where}.cells[{position}]")
                cells.append(CellGenotype(**cell))
            branches.append(BranchGenotype(branch["scale"], tuple(cells)))
        return cls(space, **{**content, "branches": tuple(branches)})


def branch_groups(branches: Sequence[BranchGenotype]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Groups the branches that share a cell, for every position.

    Branches share cells from the stem onwards, as long as primitive, stride and width are equal.
    The last cell of a branch is never shared, because a head follows it. Layers may differ, because
    a skip may have been removed earlier in one of the branches; a shared cell is then the cell of
    the group's first branch and inherits its weights.

    Returns:
        For every position of the longest branch: groups of indexes of the branches with a cell at
        that position. Groups and their members are in ascending order.
    """
    groups_by_position = []
    for position in range(max(len(branch.cells) for branch in branches)):
        groups: dict[Any, list[int]] = {}
        for index, branch in enumerate(branches):
            if position >= len(branch.cells):
                continue
            prefix = tuple(
                (cell.primitive, cell.stride, cell.width) for cell in branch.cells[: position + 1]
            )
            is_last = position == len(branch.cells) - 1
            groups.setdefault((prefix, index if is_last else None), []).append(index)
        groups_by_position.append(tuple(tuple(group) for group in groups.values()))
    return tuple(groups_by_position)


def shared_prefix(branches: Sequence[BranchGenotype]) -> int:
    """Number of leading cells that all branches share, as defined by `branch_groups`."""
    everyone = (tuple(range(len(branches))),)
    groups = branch_groups(branches)
    return next((position for position, at in enumerate(groups) if at != everyone), len(groups))


def _check_width(name: str, value: Any) -> None:
    number: Any = value  # the stub of `numbers.Real` has no comparison with an int
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < number <= 1:
        raise ValueError(f"{name} must be a number in (0, 1]. Received: {name}={shown(value)}")


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if isinstance(value, bool) or not isinstance(value, str | numbers.Integral):
        valid = False
    else:
        valid = value in choices
    if not valid:
        raise ValueError(f"{name} must be one of {choices}. Received: {name}={shown(value)}")
