"""Tests of the derivation: released results behind the quirks, hand-computed ones for the rule."""

import itertools
import json

import numpy as np
import pytest

from keras_fasterseg.spaces.fasterseg.derive import derive, derive_branch
from keras_fasterseg.spaces.registry import load_preset
from tests.shared import FIXTURES, load_fixture

WIDTHS = (4 / 12, 6 / 12, 8 / 12, 10 / 12, 1.0)
CONV = (0.0, 1.0, 0.0, 0.0, 0.0)


def parameters(layers: int, seed: int | None = None):
    """All convs, undecided betas, narrowest widths; or, with a seed, random logits."""
    alphas = [np.tile(np.array(CONV), (layers - index, 1)) for index in range(3)]
    betas = [np.zeros((layers - 2 - index, 2)) for index in range(2)]
    gammas = [np.zeros((layers - max(1, index), 5)) for index in range(3)]
    if seed is not None:
        random = np.random.default_rng(seed)
        for family in (alphas, betas, gammas):
            family[:] = [random.normal(size=array.shape) for array in family]
    return alphas, betas, gammas


def prefer_down(beta: np.ndarray, probabilities: dict[int, float]) -> None:
    """Sets the rows of `beta` so that softmax gives these probabilities of coming from down."""
    for row, probability in probabilities.items():
        beta[row] = np.log([probability, 1 - probability])


def prefer_skip(alphas, path: list[int], probabilities: dict[int, float]) -> None:
    """Makes the skip preferred at these layers of `path`, conv_2x the next best."""
    for layer, probability in probabilities.items():
        rest = (1 - probability) / 4
        row = np.log([probability, rest, rest, rest + 1e-3, rest - 1e-3])
        alphas[path[layer]][layer - path[layer]] = row


def decode(given, scale, **options):
    return derive_branch(*given, scale=scale, width_multipliers=WIDTHS, **options)


@pytest.mark.parametrize("draw", range(10))
@pytest.mark.parametrize("ignore", [0, 1])
def test_random_parameters_decode_as_the_released_code_does(draw, ignore):
    fixture = load_fixture("network_metas")
    folder = f"d{draw:02d}"
    given = (
        [fixture[f"{folder}/alpha{index}"] for index in range(3)],
        [fixture[f"{folder}/beta{index}"] for index in (1, 2)],
        [fixture[f"{folder}/ratio{index}"] for index in range(3)],
    )
    for last in range(3):
        branch = derive_branch(
            *given,
            scale=8 << last,
            width_multipliers=fixture[f"{folder}/ignore{ignore}/width_mult_list"],
            allow_skip=not ignore,
            reference_quirks=True,
        )
        expected = f"{folder}/ignore{ignore}/fresh/last{last}"
        for name in ("ops", "path", "downs", "widths"):
            assert list(getattr(branch, name)) == fixture[f"{expected}/{name}"].tolist()


@pytest.mark.parametrize(("name", "index"), [("student", 1), ("teacher", 0)])
def test_published_parameters_decode_to_the_published_networks(name, index):
    path = FIXTURES / f"genotype_{name}.json"
    reference = json.loads(path.read_text(encoding="utf-8"))
    raw = reference["raw"]
    given = (
        [np.array(raw[f"alpha_{index}_{scale}"], np.float32) for scale in range(3)],
        [np.array(raw[f"beta_{index}_{scale}"], np.float32) for scale in (1, 2)],
        [np.array(raw[f"ratio_{index}_{scale}"], np.float32) for scale in range(3)],
    )
    options = {
        "width_multipliers": reference["width_mult_list_config"],
        "allow_skip": not reference["ignore_skip"],
        "reference_quirks": True,
    }
    for last, expected in reference["per_last"].items():
        branch = derive_branch(*given, scale=8 << int(last), **options)
        for key in ("ops", "path", "downs", "widths"):
            assert list(getattr(branch, key)) == expected[key]
    stem_width, head_width = reference["stem_head_width"]
    genotype = derive(
        *given,
        base_filters=reference["Fch"],
        stem_width=stem_width,
        head_width=head_width,
        branch_scales=[8 << last for last in reference["lasts"]],
        **options,
    )
    assert genotype == load_preset(f"fasterseg_{name}")
    assert genotype.id == load_preset(f"fasterseg_{name}").id


def test_path_to_16_goes_down_one_layer_after_the_row_or_with_quirks_at_it():
    given = parameters(8)
    # Rows 0 and 5 are the outer ones, which do not count.
    prefer_down(given[1][0], {0: 0.9, 1: 0.6, 3: 0.8, 5: 0.95})
    assert decode(given, 16).path == (0, 0, 0, 0, 0, 1, 1, 1)
    assert decode(given, 16).downs == (0, 0, 0, 0, 1, 0, 0, 0)
    assert decode(given, 16, reference_quirks=True).path == (0, 0, 0, 0, 1, 1, 1, 1)


def test_path_to_32_maximises_the_product():
    given = parameters(9)
    prefer_down(given[1][0], {1: 0.5, 2: 0.9, 3: 0.99})
    prefer_down(given[1][1], {3: 0.9, 4: 0.8, 5: 0.99})
    # (1, 3): .45, (1, 4): .40, (2, 4): .72; row 3 of the first leaves 1/16 too short.
    for quirks in (False, True):
        branch = decode(given, 32, reference_quirks=quirks)
        assert branch.path == (0, 0, 0, 0, 1, 1, 1, 2, 2)
        assert branch.downs == (0, 0, 0, 1, 0, 0, 1, 0, 0)
    prefer_down(given[1][1], {4: 0.4})
    assert decode(given, 32).path == (0, 0, 0, 1, 1, 1, 2, 2, 2)


def test_undecided_betas_go_down_at_the_earliest():
    given = parameters(16)
    assert decode(given, 16).downs.index(1) == 2
    assert np.flatnonzero(decode(given, 32).downs).tolist() == [2, 5]


def test_path_to_8_never_goes_down():
    assert decode(parameters(5, seed=0), 8, allow_skip=False).path == (0,) * 5


@pytest.mark.parametrize("layers", range(4, 17))
def test_paths_are_the_best_of_all_that_are_allowed(layers):
    for seed in range(5):
        given = parameters(layers, seed)
        down = [np.exp(beta[:, 0]) / np.exp(beta).sum(axis=-1) for beta in given[1]]
        # A path as the layers that start at 1/16 and at 1/32, which is the node beta weighs.
        margin = 1 if layers >= 5 else 0
        scores = {
            (first,): down[0][first - 2] for first in range(2 + margin, layers - 1 - margin + 1)
        }
        best = max(scores, key=scores.get)
        branch = decode(given, 16, allow_skip=False)
        assert branch.path == tuple(int(layer >= best[0]) for layer in range(layers))

        scores = {
            (first, second): down[0][first - 2] * down[1][second - 3]
            for first, second in itertools.combinations(range(2, layers), 2)
            if layers < 8 or (first >= 3 and second - first >= 3 and second <= layers - 2)
        }
        best = max(scores, key=scores.get)
        branch = decode(given, 32, allow_skip=False)
        assert branch.path == tuple(
            int(layer >= best[0]) + int(layer >= best[1]) for layer in range(layers)
        )


@pytest.mark.parametrize("layers", range(4, 17))
@pytest.mark.parametrize("quirks", [False, True])
def test_every_depth_derives_a_valid_network(layers, quirks):
    for seed in range(5):
        given = parameters(layers, seed)
        for alpha in given[0]:
            alpha[:, 0] += 2.0
        for scales in ((32, 16), (32, 8), (8, 16, 32)):
            genotype = derive(
                *given,
                base_filters=6,
                width_multipliers=WIDTHS,
                stem_width=8 / 12,
                head_width=8 / 12,
                branch_scales=scales,
                reference_quirks=quirks,
            )
            assert tuple(branch.scale for branch in genotype.branches) == scales
            assert genotype.num_layers == layers
            for branch in genotype.branches:
                index = (8, 16, 32).index(branch.scale)
                assert len(branch.cells) >= min(layers, round(layers / 3) + 2 * index)
                assert {cell.scale for cell in branch.cells} == {8 << i for i in range(index + 1)}
                assert all(cell.primitive != "skip" for cell in branch.cells)


def test_fewest_layers():
    assert decode(parameters(4), 32).path == (0, 0, 1, 2)
    assert decode(parameters(4), 32, reference_quirks=True).path == (0, 0, 1, 2)
    assert decode(parameters(3), 16).path == (0, 0, 1)
    with pytest.raises(ValueError, match="3 layers are too few for a path to scale 32"):
        decode(parameters(3), 32)


@pytest.mark.parametrize("layers", [5, 6, 7])
def test_quirk_of_few_layers_ignores_beta(layers):
    given = parameters(layers)
    prefer_down(given[1][0], {1: 0.9})
    prefer_down(given[1][1], {1: 0.1})
    branch = decode(given, 32, reference_quirks=True)
    assert np.flatnonzero(branch.downs).tolist() == [1, 3]
    assert np.flatnonzero(decode(given, 32).downs).tolist() != [1, 3]


def test_widths_are_those_of_the_nodes_along_the_path():
    given = parameters(8)
    for gamma in given[2]:
        gamma[:, 1] = 1.0
    # The path is 0 0 0 1 1 1 2 2; node after layer i: row i at 1/8 and at 1/16, i - 1 at 1/32.
    for scale, row, width in [(0, 0, 0), (0, 1, 2), (1, 2, 3), (1, 3, 4), (1, 4, 0), (2, 4, 2)]:
        given[2][scale][row, width] = 2.0
    given[2][2][5, 3] = 2.0
    branch = decode(given, 32)
    assert branch.path == (0, 0, 0, 1, 1, 1, 2, 2)
    assert branch.widths == tuple(WIDTHS[index] for index in (0, 2, 3, 4, 0, 2, 3))


def test_one_column_of_gammas_is_the_widest():
    alphas, betas, gammas = parameters(6)
    branch = decode((alphas, betas, [gamma[:, :1] for gamma in gammas]), 16)
    assert branch.widths == (1.0,) * 5


def test_surest_skips_go_and_take_their_widths_along():
    given = parameters(9)
    for layer in range(8):
        given[2][0][layer, layer % 5] = 1.0
    skips = {0: 0.3, 1: 0.9, 2: 0.8, 3: 0.7, 4: 0.4, 5: 0.6, 7: 0.5, 8: 0.95}
    prefer_skip(given[0], [0] * 9, skips)
    # round(9 / 3) = 3 stay: six of the eight skips go, layers 0 and 4 take the next best.
    branch = decode(given, 8)
    assert branch.layers == (0, 4, 6)
    assert branch.ops == (3, 3, 1)
    # The last cell goes, so the last that stays (layer 6) hands its width to the head.
    assert branch.widths == (WIDTHS[0], WIDTHS[4])


def test_one_cell_stays_between_and_after_descents():
    given = parameters(16)
    prefer_down(given[1][0], {6: 0.9})
    prefer_down(given[1][1], {9: 0.9})
    path = [0] * 8 + [1] * 4 + [2] * 4
    skips = {8: 0.8, 9: 0.5, 10: 0.6} | {12: 0.9, 13: 0.91, 14: 0.7, 15: 0.92}
    prefer_skip(given[0], path, skips)
    branch = decode(given, 32)
    # round(16 / 3) + 4 = 9 may stay; five removals reach 11.
    assert branch.layers == (*range(8), 9, 11, 14)
    assert branch.path == (0,) * 8 + (1, 1, 2)
    assert branch.downs == (0,) * 7 + (1, 0, 1, 0)
    assert branch.ops == (1,) * 8 + (3, 1, 3)


def test_a_cell_that_stays_uses_up_a_removal_only_with_quirks():
    path = [0] * 5 + [1] * 4
    skips = {0: 0.4, 1: 0.42, 2: 0.44, 3: 0.46, 5: 0.9, 6: 0.8, 7: 0.91, 8: 0.92}
    for quirks, row, layers in [(False, 3, (0, 1, 2, 4, 6)), (True, 4, (0, 1, 2, 3, 4, 6))]:
        given = parameters(9)
        prefer_down(given[1][0], {row: 0.9})
        prefer_skip(given[0], path, skips)
        assert decode(given, 16, reference_quirks=quirks).layers == layers


def test_parameters_at_the_start_of_a_search_decode():
    given = parameters(16)
    for family in given:
        family[:] = [np.full_like(array, 1e-3) for array in family]
    # Downs at 2 and 5; every cell prefers the skip, all equally: early ones go, and of a whole
    # section the last one stays.
    branch = decode(given, 32)
    assert branch.layers == (2, 4, 5, 10, 11, 12, 13, 14, 15)
    assert branch.path == (0, 1, 1, 2, 2, 2, 2, 2, 2)
    assert branch.ops == (1,) * 9
    quirky = decode(given, 32, reference_quirks=True)
    assert quirky.layers == (2, 4, 5, *range(9, 16))


def test_a_skip_that_goes_down_takes_the_next_best():
    given = parameters(8)
    prefer_down(given[1][0], {3: 0.9})
    prefer_skip(given[0], [0] * 8, {4: 0.99})
    branch = decode(given, 16)
    assert branch.layers == tuple(range(8))
    assert branch.ops[4] == 3


def test_without_skips_every_cell_stays():
    given = parameters(9)
    prefer_skip(given[0], [0] * 9, dict.fromkeys(range(9), 0.9))
    branch = decode(given, 8, allow_skip=False)
    assert branch.layers == tuple(range(9))
    assert branch.ops == (3,) * 9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("quirks", [False, True])
def test_nothing_handed_in_is_changed_and_the_result_repeats(dtype, quirks):
    given = [[array.astype(dtype) for array in family] for family in parameters(10, seed=3)]
    before = [array.tobytes() for family in given for array in family]
    options = {
        "base_filters": 12,
        "width_multipliers": list(WIDTHS),
        "stem_width": 1.0,
        "head_width": 1.0,
        "branch_scales": (8, 16, 32),
        "reference_quirks": quirks,
    }
    first = derive(*given, **options)
    assert derive(*given, **options) == first
    assert [array.tobytes() for family in given for array in family] == before
    # The order of the branches must not matter either: each is decoded from the same values.
    turned = derive(*given, **(options | {"branch_scales": (32, 16, 8)}))
    assert turned.branches == first.branches[::-1]


def test_derive_refuses():
    options = {
        "base_filters": 12,
        "width_multipliers": WIDTHS,
        "stem_width": 1.0,
        "head_width": 1.0,
    }
    alphas, betas, gammas = parameters(6)
    with pytest.raises(ValueError, match="scale=4"):
        derive(alphas, betas, gammas, **options, branch_scales=(4,))
    with pytest.raises(ValueError, match="different scales"):
        derive(alphas, betas, gammas, **options, branch_scales=(16, 16))
    with pytest.raises(ValueError, match="at least one branch"):
        derive(alphas, betas, gammas, **options, branch_scales=())
    with pytest.raises(ValueError, match=r"shapes must be .*'betas': \[\(4, 2\), \(3, 2\)\]"):
        derive(alphas, betas[::-1], gammas, **options)
    with pytest.raises(ValueError, match="shapes must be"):
        derive(alphas[:2], betas, gammas, **options)
    with pytest.raises(ValueError, match="5 widths"):
        derive(alphas, betas, [gamma[:, :4] for gamma in gammas], **options)
    with pytest.raises(ValueError, match="At least 3 layers"):
        derive([np.zeros((2, 5))] * 3, betas, gammas, **options)
    with pytest.raises(ValueError, match="alphas contain values that are not finite"):
        derive([np.full_like(alpha, np.nan) for alpha in alphas], betas, gammas, **options)
    for widths in ((), (0.0, 0.5, 0.6, 0.7, 1.0), (0.5, 0.6, 0.7, 0.8, 1.2)):
        with pytest.raises(ValueError, match=r"width_multipliers must be"):
            derive(alphas, betas, gammas, **(options | {"width_multipliers": widths}))
