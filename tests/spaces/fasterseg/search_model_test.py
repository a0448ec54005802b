import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.losses.solution_space_regularization import SolutionSpaceRegularizer
from keras_fasterseg.spaces.fasterseg.choices import Choices
from tests.search.tiny_space import make_space


def test_discretized_takes_the_likeliest():
    choices = Choices(
        alphas=tuple(tf.constant([[0.1, 0.2, 0.3, 0.25, 0.15]]) for _ in range(3)),
        betas=(tf.constant([[0.4, 0.6], [0.7, 0.3]]), tf.constant([[0.51, 0.49]])),
        widths=1,
        role="teacher",
    )
    hard = make_space().discretized(choices)
    for rows in hard.alphas:
        np.testing.assert_array_equal(rows, [[0, 0, 1, 0, 0]])
    np.testing.assert_array_equal(hard.betas[0], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(hard.betas[1], [[1, 0]])
    assert hard.widths == 1
    assert hard.role == "teacher"
    np.testing.assert_array_equal(choices.betas[0], np.float32([[0.4, 0.6], [0.7, 0.3]]))


def test_candidates_of_both_roles():
    space = make_space()
    for role, width, widths in (("teacher", 1.0, {1.0}), ("student", 0.5, {0.5, 1.0})):
        candidates = space.candidates(role)
        branches = {
            name: [branch.scale for branch in genotype.branches]
            for name, genotype in candidates.items()
        }
        assert branches == {"scale_8_32": [32, 8], "scale_16_32": [32, 16]}
        for genotype in candidates.values():
            assert (genotype.stem_width, genotype.head_width) == (width, width)
            for branch in genotype.branches:
                assert {cell.width for cell in branch.cells} <= widths


def test_operations_are_those_of_the_largest_alpha():
    space = make_space()
    for alpha in space.architectures["student"].alphas:
        alpha.assign(np.tile(np.float32([0, 0, 0, 1, 0]), (alpha.shape[0], 1)))
    for genotype in space.candidates("student").values():
        for branch in genotype.branches:
            assert {cell.primitive for cell in branch.cells} == {"conv_2x"}
            assert len(branch.cells) == 4


def test_the_student_may_skip_and_the_teacher_may_not():
    space = make_space()
    lengths = {}
    for role, architecture in space.architectures.items():
        for alpha in architecture.alphas:
            alpha.assign(np.tile(np.float32([1, 0, 0.5, 0, 0]), (alpha.shape[0], 1)))
        genotype = space.candidates(role)["scale_8_32"]
        lengths[role] = len(genotype.branches[1].cells)
    # Of four cells at 1/8 round(4 / 3) = 1 has to stay.
    assert lengths == {"teacher": 4, "student": 1}


def test_pretraining_blends_paths_or_samples_them():
    space = make_space()
    random = keras.random.SeedGenerator(0)
    blended = space.pretraining_choices(0, random)
    space.samples_paths = True
    sampled, other = (space.pretraining_choices(0, random) for _ in range(2))
    for family in ("alphas", "betas"):
        for soft, hard, again in zip(
            *(getattr(each, family) for each in (blended, sampled, other)), strict=True
        ):
            assert soft.shape == hard.shape
            assert 0 < np.max(soft) < 1
            np.testing.assert_array_equal(np.sort(hard, axis=-1)[..., -1], 1)
            np.testing.assert_array_equal(np.sum(hard, axis=-1), 1)
            if hard.shape[1] > 1:
                # Every setting of every step has its own.
                assert len({str(np.asarray(setting)) for setting in [*hard, *again]}) > 1
    for soft, hard in zip(blended.widths, sampled.widths, strict=True):
        np.testing.assert_array_equal(soft[0], hard[0])
        np.testing.assert_array_equal(soft[1], hard[1])


def test_ssr_is_the_sum_over_families_of_both_roles():
    space = make_space()
    assert space.regularization() == 0
    space.ssr_weight = 2.0
    regularizer, expected = SolutionSpaceRegularizer(2.0), 0.0
    for architecture in space.architectures.values():
        for family in architecture.logits().values():
            if family[0].shape[-1] > 1:
                expected += np.mean([float(regularizer(tf.nn.softmax(rows))) for rows in family])
    assert float(space.regularization()) == pytest.approx(expected, rel=1e-5)
    assert expected < 0
