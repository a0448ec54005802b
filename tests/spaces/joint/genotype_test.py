import copy
import dataclasses

import numpy as np
import pytest

from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype
from tests.spaces.joint.genotypes import SMALL


def test_json():
    value = SMALL.to_json()
    assert list(value) == [
        *("schema_version", "space", "id", "stem_filters", "early_filters", "late_filters"),
        *("early", "late"),
    ]
    assert value["late"][0] == {"dilation": 4, "pooled": True, "middle": 12, "filters": 10}
    assert JointGenotype.from_json(value) == SMALL


def test_numbers_of_numpy_are_numbers():
    block = SMALL.early[0]
    same = JointBlock(np.int64(1), False, np.int32(block.middle), block.filters)
    assert type(same.dilation) is type(same.middle) is int
    genotype = dataclasses.replace(SMALL, stem_filters=np.int64(4), early=[same, *SMALL.early[1:]])
    assert (genotype, genotype.id, hash(genotype)) == (SMALL, SMALL.id, hash(SMALL))


def test_summary():
    assert SMALL.summary() == {
        "early_dilations": [1, 2, 1],
        "early_pooled": [1],
        "late_dilations": [4, 2],
        "late_pooled": [0],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, False, 4, 4), "dilation must be an integer of at least 1.*dilation=0"),
        ((65, False, 4, 4), "dilation must be at most 64"),
        ((1.0, False, 4, 4), "dilation=1.0"),
        ((1, 1, 4, 4), "pooled must be true or false. Received: pooled=1"),
        ((1, False, True, 4), "middle=True"),
        ((1, False, 4, 0), "filters=0"),
        ((1, False, 4, "4"), "filters='4'"),
        ((1, False, 10**400, 4), "middle=an integer of"),
        ((1, False, 4, 4097), "filters must be at most 4096"),
    ],
)
def test_block_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        JointBlock(*values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "fasterseg"}, "space must be 'joint'. Received: 'fasterseg'"),
        ({"stem_filters": 3}, "stem_filters must be an integer of at least 4"),
        ({"stem_filters": 4.5}, "stem_filters=4.5"),
        ({"early_filters": 4}, "early_filters must be an integer of at least 5"),
        ({"late_filters": 8}, "late_filters must be an integer of at least 9"),
        ({"late_filters": 4097}, "late_filters must be at most 4096"),
        ({"early": ()}, "early must have 1 to 256 blocks. Received: 0 blocks"),
        ({"late": SMALL.late * 129}, "late must have 1 to 256 blocks. Received: 258 blocks"),
        (
            {"early": (*SMALL.early, JointBlock(1, False, 4, 9))},
            r"early\[3\] must have at most early_filters=8 filters. Received: middle=4, filters=9",
        ),
        ({"late": (JointBlock(1, False, 17, 4),)}, r"late\[0\].*late_filters=16.*middle=17"),
    ],
)
def test_genotype_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.pop("early"), "'early' is missing in the genotype"),
        (lambda value: value.update(late={}), "Expected late to be a JSON list"),
        (lambda value: value["late"].append(3), r"Expected late\[2\] to be a JSON object"),
        (lambda value: value["early"][1].pop("pooled"), r"'pooled' is missing in early\[1\]"),
        (lambda value: value["early"][0].update(kernel=3), r"'kernel' in early\[0\] is unknown"),
        (lambda value: value.update(middle_filters=3), "'middle_filters' in the genotype is unkn"),
        (lambda value: value["late"][0].update(filters=11), "does not match the content"),
    ],
)
def test_from_json_refuses(change, message):
    value = copy.deepcopy(SMALL.to_json())
    change(value)
    with pytest.raises(ValueError, match=message):
        JointGenotype.from_json(value)
