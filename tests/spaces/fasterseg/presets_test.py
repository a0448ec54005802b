"""Tests of the published networks."""

import json

import pytest

from keras_fasterseg.filters import node_filters
from keras_fasterseg.spaces.fasterseg.genotype import branch_groups
from keras_fasterseg.spaces.registry import load_preset, preset_names
from tests.shared import FIXTURES


def test_preset_names():
    assert preset_names() == ("fasterseg_student", "fasterseg_teacher", "joint_published")


def test_unknown_preset_lists_the_known():
    with pytest.raises(ValueError, match=r"'student'.*fasterseg_student, fasterseg_teacher"):
        load_preset("student")


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_presets_have_the_cells_of_the_released_networks(name):
    reference = json.loads((FIXTURES / f"genotype_{name}.json").read_text(encoding="utf-8"))
    genotype = load_preset(f"fasterseg_{name}")
    assert [8 << last for last in reference["lasts"]] == [b.scale for b in genotype.branches]

    cells = []
    for position, groups in enumerate(branch_groups(genotype.branches)):
        for group in groups:
            branch = genotype.branches[group[0]].cells
            cell = branch[position]
            width = branch[position - 1].width if position else genotype.stem_width
            filters = genotype.base_filters
            cells.append(
                {
                    "layer": position,
                    "branches": list(group),
                    "op": cell.primitive,
                    "C_in": node_filters(cell.scale, filters, width),
                    "C_out": node_filters(cell.scale * cell.stride, filters, cell.width),
                    "stride": cell.stride,
                    "scale_in": cell.scale,
                }
            )
    assert cells == [{key: cell[key] for key in cells[0]} for cell in reference["cells"]]
