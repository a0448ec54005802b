"""Tests of the genotype: validation, JSON, rounding and the sharing of cells."""

import copy
import dataclasses
import json

import numpy as np
import pytest

from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
    branch_groups,
    shared_prefix,
)
from keras_fasterseg.spaces.registry import load_preset
from tests.shared import FIXTURES


def cell(layer=0, scale=8, primitive="conv", stride=1, width=0.5) -> CellGenotype:
    return CellGenotype(layer, scale, primitive, stride, width)


def branch_to_16() -> BranchGenotype:
    return BranchGenotype(16, (cell(0), cell(2, stride=2), cell(3, scale=16, width=1.0)))


def branch_to_8() -> BranchGenotype:
    return BranchGenotype(8, (cell(0), cell(1, width=1.0)))


def genotype(**changes) -> FasterSegGenotype:
    fields = {
        "space": "fasterseg",
        "base_filters": 12,
        "num_layers": 6,
        "stem_width": 0.5,
        "head_width": 1.0,
        "branches": (branch_to_16(), branch_to_8()),
    }
    return FasterSegGenotype(**(fields | changes))


def test_json_round_trip(tmp_path):
    path = tmp_path / "folder" / "genotype.json"
    genotype().save(path)
    assert FasterSegGenotype.load(path) == genotype()
    assert FasterSegGenotype.load(path).to_json() == genotype().to_json()
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert list(stored)[:4] == ["schema_version", "space", "id", "base_filters"]
    assert stored["branches"][0]["cells"][1] == {
        "layer": 2,
        "scale": 8,
        "primitive": "conv",
        "stride": 2,
        "width": 0.5,
    }


def test_id_names_the_content():
    assert genotype().id == genotype().id
    assert len(genotype().id) == 12
    int(genotype().id, 16)
    assert genotype(base_filters=6).id != genotype().id
    assert genotype(branches=(branch_to_8(), branch_to_16())).id != genotype().id


def test_id_does_not_depend_on_the_number_types():
    cells = tuple(
        CellGenotype(
            np.int64(cell.layer), np.int32(cell.scale), cell.primitive, cell.stride, cell.width
        )
        for cell in branch_to_16().cells
    )
    numpy_numbers = genotype(
        branches=[BranchGenotype(16, list(cells)), branch_to_8()], head_width=1
    )
    assert numpy_numbers.id == genotype().id
    assert numpy_numbers == genotype()
    assert hash(numpy_numbers) == hash(genotype())


def test_genotype_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        genotype().base_filters = 6


def test_load_names_the_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        FasterSegGenotype.load(tmp_path / "absent.json")


@pytest.mark.parametrize("where", ["top", "branch", "cell"])
@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_load_names_missing_and_unknown_keys(tmp_path, where, change):
    whole = genotype().to_json()
    names = list(
        {
            "top": whole,
            "branch": whole["branches"][0],
            "cell": whole["branches"][0]["cells"][0],
        }[where]
    )
    for name in names if change == "missing" else ["surplus"]:
        value = copy.deepcopy(whole)
        part = {
            "top": value,
            "branch": value["branches"][0],
            "cell": value["branches"][0]["cells"][0],
        }[where]
        if change == "missing":
            del part[name]
        else:
            part[name] = 1
        path = tmp_path / "genotype.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        with pytest.raises(ValueError, match=rf"genotype\.json .*'{name}'.*{change}"):
            FasterSegGenotype.load(path)


def test_from_json_refuses_content_that_was_edited_and_tells_its_id():
    value = genotype().to_json()
    value["base_filters"] = 6
    with pytest.raises(ValueError, match=f"'{genotype().id}'.*{genotype(base_filters=6).id}"):
        FasterSegGenotype.from_json(value)


def test_from_json_refuses_another_schema():
    with pytest.raises(ValueError, match="schema_version 2"):
        FasterSegGenotype.from_json(genotype().to_json() | {"schema_version": 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([], "the genotype to be a JSON object"),
        ({"branches": {}}, "branches to be a JSON list"),
        ({"branches": [3]}, r"branches\[0\] to be a JSON object"),
        ({"branches": [{"scale": 8, "cells": 3}]}, r"branches\[0\].cells to be a JSON list"),
        ({"branches": [{"scale": 8, "cells": [3]}]}, r"branches\[0\].cells\[0\] to be a JSON"),
    ],
)
def test_from_json_refuses_other_types(change, message):
    value = genotype().to_json() | change if change else change
    with pytest.raises(ValueError, match=message):
        FasterSegGenotype.from_json(value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": -1}, "layer=-1"),
        ({"layer": 1.0}, "layer=1.0"),
        ({"layer": True}, "layer=True"),
        ({"layer": 0, "scale": 16}, "at least 1 at scale 16"),
        ({"layer": 1, "scale": 32}, "at least 2 at scale 32"),
        ({"scale": 4}, "scale=4"),
        ({"scale": 8.0}, r"scale=8\.0"),
        ({"primitive": "pool"}, "conv_2x_downup.*primitive='pool'"),
        ({"primitive": ["conv"]}, "primitive"),
        ({"stride": 3}, "stride=3"),
        ({"stride": True}, "stride=True"),
        ({"width": 0}, "width=0"),
        ({"width": 1.1}, r"width=1\.1"),
        ({"width": float("nan")}, "width=nan"),
        ({"width": "1"}, "width='1'"),
    ],
)
def test_cell_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        cell(**changes)


@pytest.mark.parametrize(
    ("scale", "cells", "message"),
    [
        (4, (cell(),), "scale=4"),
        (8, (), "no cells"),
        (16, (cell(2, scale=16),), "Cell 0 .* scale 16, .* input has scale 8"),
        (16, (cell(0), cell(1, scale=16)), "Cell 1 .* scale 16, .* input has scale 8"),
        (8, (cell(0, stride=2), cell(1)), "Cell 1 .* scale 8, .* input has scale 16"),
        (8, (cell(1), cell(1)), "layer 1 after layer 1"),
        (8, (cell(2), cell(1)), "layer 1 after layer 2"),
        (16, (cell(0), cell(1)), "end at scale 8"),
        (16, (cell(0), cell(1, stride=2)), "last cell .* stride 2"),
    ],
)
def test_branch_refuses(scale, cells, message):
    with pytest.raises(ValueError, match=message):
        BranchGenotype(scale, cells)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": ""}, "space=''"),
        ({"space": 1}, "space=1"),
        ({"base_filters": 0}, "base_filters=0"),
        ({"base_filters": 1.5}, r"base_filters=1\.5"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"num_layers": 3}, "layer 3, but num_layers=3"),
        ({"stem_width": 0}, "stem_width=0"),
        ({"head_width": 2}, "head_width=2"),
        ({"head_width": 0.5}, r"has width 1\.0; it must be the head width 0\.5"),
        ({"branches": ()}, "at least one branch"),
        ({"branches": (branch_to_8(), branch_to_8())}, r"scales=\[8, 8\]"),
    ],
)
def test_genotype_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        genotype(**changes)


def test_identity_must_keep_its_width():
    kept = BranchGenotype(8, (cell(0, primitive="skip"), cell(1, width=1.0)))
    genotype(branches=(kept,))
    with pytest.raises(ValueError, match=r"identity"):
        genotype(branches=(kept,), stem_width=1.0)
    down = BranchGenotype(
        16, (cell(0, primitive="skip", stride=2, width=0.25), cell(1, scale=16, width=1.0))
    )
    genotype(branches=(down,))


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_branches_share_the_cells_that_the_released_networks_share(name):
    reference = json.loads((FIXTURES / f"genotype_{name}.json").read_text(encoding="utf-8"))
    branches = load_preset(f"fasterseg_{name}").branches
    groups = branch_groups(branches)
    assert [[list(group) for group in at] for at in groups] == reference["branch_groups"]
    assert shared_prefix(branches) == {"student": 3, "teacher": 4}[name]


def test_branches_stop_sharing_for_good_where_one_property_differs():
    trunk = [cell(0), cell(1), cell(2), cell(3)]
    for changes in ({"primitive": "conv_2x"}, {"width": 0.25}):
        other = [cell(0), cell(1, **changes), cell(2), cell(4)]
        branches = (BranchGenotype(8, trunk), BranchGenotype(8, other))
        assert branch_groups(branches) == (((0, 1),), ((0,), (1,)), ((0,), (1,)), ((0,), (1,)))
        assert shared_prefix(branches) == 1


def test_three_branches_share_by_groups_and_never_a_last_cell():
    to_8 = BranchGenotype(8, (cell(0), cell(1)))
    to_16 = BranchGenotype(16, (cell(0), cell(1), cell(2, stride=2), cell(3, scale=16)))
    to_32 = BranchGenotype(
        32,
        (
            cell(0),
            cell(1),
            cell(2, stride=2),
            cell(4, scale=16, stride=2),
            cell(5, scale=32),
        ),
    )
    assert branch_groups((to_32, to_8, to_16)) == (
        ((0, 1, 2),),
        ((0, 2), (1,)),
        ((0, 2),),
        ((0,), (2,)),
        ((0,),),
    )
    assert shared_prefix((to_32, to_8, to_16)) == 1
    assert shared_prefix((to_32, to_16)) == 3
    assert shared_prefix((to_32,)) == 5


def test_cells_from_different_layers_are_shared():
    branches = (
        BranchGenotype(8, (cell(0), cell(2))),
        BranchGenotype(16, (cell(1), cell(2, stride=2), cell(3, scale=16))),
    )
    assert branch_groups(branches) == (((0, 1),), ((0,), (1,)), ((1,),))


@pytest.mark.parametrize(
    "value", [10**400, pytest.param(10**5000, id="huge"), -(10**400), 1e308, 2**63]
)
def test_numbers_from_elsewhere_are_bounded(value):
    """Whatever reads them, and in every field: one sentence and nothing large."""
    for name in ("base_filters", "num_layers", "stem_width", "head_width", "schema_version", "id"):
        content = genotype().to_json() | {name: value}
        with pytest.raises(ValueError, match=name.split("_")[0]) as caught:
            FasterSegGenotype.from_json(content)
        assert len(str(caught.value)) < 400
    for name in ("layer", "scale", "stride", "width", "primitive"):
        content = genotype().to_json()
        content["branches"][0]["cells"][0][name] = value
        with pytest.raises(ValueError, match=name) as caught:
            FasterSegGenotype.from_json(content)
        assert len(str(caught.value)) < 400


def test_the_largest_network_is_bounded():
    assert genotype(base_filters=1024, num_layers=1024).base_filters == 1024
    with pytest.raises(ValueError, match="base_filters must be at most 1024"):
        genotype(base_filters=10**9)
    with pytest.raises(ValueError, match="num_layers must be at most 1024"):
        genotype(num_layers=1025)


def test_a_file_with_a_huge_number_is_named(tmp_path):
    path = tmp_path / "student.json"
    text = json.dumps(genotype().to_json()).replace('"stem_width": 0.5', f'"stem_width": {10**400}')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"student\.json is not a JSON file .*has 401 digits"):
        FasterSegGenotype.load(path)
