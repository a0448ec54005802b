"""Layer plan of a genotype: the layers of one network with their inputs and widths."""

import dataclasses

from keras_fasterseg.filters import node_filters
from keras_fasterseg.layers.stem import stem_filters
from keras_fasterseg.spaces.fasterseg.genotype import CellGenotype, FasterSegGenotype, branch_groups

STEM = "stem"


@dataclasses.dataclass(frozen=True)
class FeaturePlan:
    """An intermediate result.

    Attributes:
        layer: Name of the layer that produces it.
        scale: Its downsampling rate.
        filters: Its number of channels.
    """

    layer: str
    scale: int
    filters: int


@dataclasses.dataclass(frozen=True)
class CellPlan:
    """One cell of the network.

    Attributes:
        name: Name of its layer.
        branches: Indexes of the branches that share it.
        position: Its position along its branches, from 0.
        cell: Its genotype in the first of its branches.
        source: Its input.
        output: Its output.
    """

    name: str
    branches: tuple[int, ...]
    position: int
    cell: CellGenotype
    source: FeaturePlan
    output: FeaturePlan


@dataclasses.dataclass(frozen=True)
class JoinPlan:
    """One step of the decoder: joins a coarse feature with a fine one; see `UpsampleFusion`."""

    name: str
    coarse: FeaturePlan
    fine: FeaturePlan
    output: FeaturePlan


@dataclasses.dataclass(frozen=True)
class NetworkPlan:
    """Layer plan of a complete network.

    Attributes:
        stem: Output of the stem.
        cells: Cells in an executable order.
        joins: One tuple of decoder steps per branch, from coarse to fine; empty for a branch at
            1/8.
        outputs: Output of each branch at 1/8, the inputs of the fusion.
        auxiliary: Inputs of the auxiliary heads, by scale (16, 32).
    """

    stem: FeaturePlan
    cells: tuple[CellPlan, ...]
    joins: tuple[tuple[JoinPlan, ...], ...]
    outputs: tuple[FeaturePlan, ...]
    auxiliary: dict[int, tuple[FeaturePlan, ...]]


def plan_network(genotype: FasterSegGenotype) -> NetworkPlan:
    """Makes the layer plan of `genotype`.

    Reference:
        FasterSeg, section 3.4 and the released decoder (https://arxiv.org/abs/1912.10917).
    """
    stem = FeaturePlan(STEM, 8, stem_filters(genotype.base_filters, genotype.stem_width)[-1])
    # The last feature of each branch at each scale; the decoder reads it.
    latest = [{8: stem} for _ in genotype.branches]
    current = [stem] * len(genotype.branches)
    cells = []
    for position, groups in enumerate(branch_groups(genotype.branches)):
        for group in groups:
            cell = genotype.branches[group[0]].cells[position]
            scales = "_".join(str(genotype.branches[index].scale) for index in group)
            name = f"branch_{scales}_cell_{position:02d}"
            scale = cell.scale * cell.stride
            filters = node_filters(scale, genotype.base_filters, cell.width)
            output = FeaturePlan(name, scale, filters)
            cells.append(CellPlan(name, group, position, cell, current[group[0]], output))
            for index in group:
                current[index] = latest[index][scale] = output
    joins, outputs = [], []
    for branch, features in zip(genotype.branches, latest, strict=True):
        steps, feature = [], features[branch.scale]
        while feature.scale > 8:
            fine = features[feature.scale // 2]
            filters = node_filters(fine.scale, genotype.base_filters, genotype.head_width)
            name = f"branch_{branch.scale}_fusion_{fine.scale}"
            output = FeaturePlan(name, fine.scale, filters)
            steps.append(JoinPlan(name, feature, fine, output))
            feature = output
        joins.append(tuple(steps))
        outputs.append(feature)
    auxiliary = {
        scale: tuple(features[scale] for features in latest if scale in features)
        for scale in (16, 32)
    }
    auxiliary = {scale: features for scale, features in auxiliary.items() if features}
    return NetworkPlan(stem, tuple(cells), tuple(joins), tuple(outputs), auxiliary)
