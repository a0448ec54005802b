import dataclasses
import json
import types

import numpy as np
import pytest
from absl import logging

from keras_fasterseg.files import read_json
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.run.search_report import SearchReport, without_nan
from keras_fasterseg.search.candidates import Candidate, best_candidate
from keras_fasterseg.spaces.cost import serving_key
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.stages import network_stages
from tests.run.event_files import scalars
from tests.run.latency_rows import random_table
from tests.search.tiny_space import NUM_CLASSES, SPACE, make_space

SIZE = (64, 128)
BAND = (155.0, 175.0)
# Every network of the space is inside.
WIDE_BAND = (1.0, 100_000.0)


def scores_of(*scores):
    """Scores candidates with branches 32 + 8 and 32 + 16 alike, in this order."""

    def ranker(role, genotype):
        return scores[[branch.scale for branch in genotype.branches] == [32, 16]]

    return ranker


@pytest.fixture(scope="module")
def space():
    return make_space()


@pytest.fixture(scope="module")
def table():
    return random_table(SPACE, SIZE, NUM_CLASSES)


def make_report(folder, space, table, ranker=None, band=WIDE_BAND, expected_ms=None):
    report = SearchReport(folder, table, ranker or scores_of(0.25, 0.35), band)
    report.set_model(types.SimpleNamespace(model=space, expected_ms=expected_ms))
    return report


def summed_rows(genotype, table):
    """Milliseconds, one row after the other, and what surrounds the network."""
    total = table[serving_key(SIZE, NUM_CLASSES)].latency_ms
    for stage in network_stages(genotype, SIZE, NUM_CLASSES):
        if not stage.training_only:
            for key in stage.keys:
                total += table[key].latency_ms
    return total


def test_candidate_fps_is_a_second_over_the_rows(tmp_path, space, table):
    found = make_report(tmp_path, space, table).candidate_fps()
    genotypes = space.candidates("student").values()
    assert found == pytest.approx([1000 / summed_rows(each, table) for each in genotypes])


def test_the_record_of_an_epoch(tmp_path, space, table):
    report = make_report(tmp_path, space, table)
    report.on_epoch_end(0, {"loss": np.float32(1.5)})
    report.on_epoch_end(1, {"loss": np.float32(1.25), "penalty_weight": 0.06})
    records = read_json(tmp_path / "search.json")
    assert [record["epoch"] for record in records] == [0, 1]
    assert [record["loss"] for record in records] == [1.5, 1.25]
    assert records[1]["penalty_weight"] == 0.06
    assert [record["fps_band"] for record in records] == [[1.0, 100_000.0]] * 2
    for role in ("teacher", "student"):
        record = records[0][role]
        candidates = space.candidates(role)
        assert record["inherited_miou"] == {"scale_8_32": 0.25, "scale_16_32": 0.35}
        assert record["entropy"] == pytest.approx(space.entropies(role))
        # The more accurate by 40%: more than any latency of these rows outweighs.
        best = candidates["scale_16_32"]
        assert record["genotype"] == best.id
        assert record["prediction"] == "scale_16_32"
        assert FasterSegGenotype.load(tmp_path / "epoch_001" / f"{role}.json") == best
        assert report.best[role].genotype == best
    expected = {
        name: 1000 / summed_rows(genotype, table)
        for name, genotype in space.candidates("student").items()
    }
    assert records[0]["student"]["fps_predicted"] == pytest.approx(expected)
    assert records[0]["teacher"]["fps_predicted"] == {}


def test_a_calibrated_table_predicts_calibrated_frame_rates(tmp_path, space, table):
    calibrated = table.calibrated(Calibration(0.5, 2.0, 3))
    found = make_report(tmp_path, space, calibrated).candidate_fps()
    genotypes = space.candidates("student").values()
    expected = [1000 / (0.5 * summed_rows(each, table) + 2.0) for each in genotypes]
    assert found == pytest.approx(expected)


def test_the_log_of_an_epoch_tells_lambda_and_the_band(tmp_path, space, table, monkeypatch):
    lines = []
    monkeypatch.setattr(logging, "info", lambda text, *values: lines.append(text % values))
    report = make_report(tmp_path, space, table, band=BAND)
    report.on_epoch_end(0, {"loss": 1.5, "penalty_weight": 0.12})
    (line,) = lines
    assert line.startswith(f"Epoch 1: student {report.best['student'].genotype.id}, predicted FPS ")
    assert " (band 155 to 175), lambda 0.12, entropy " in line


def test_scalars_for_tensorboard(tmp_path, space, table):
    make_report(tmp_path, space, table).on_epoch_end(0, {"loss": 1.5})
    values = scalars(tmp_path / "tensorboard" / "architecture")
    assert {epoch for _, epoch in values} == {0}
    found = {name: value for (name, _), value in values.items()}
    assert found["loss"] == 1.5
    assert found["teacher/inherited_miou/scale_8_32"] == pytest.approx(0.25)
    assert {"student/entropy/alpha", "student/fps_predicted/scale_16_32"} <= set(found)


def test_the_gap_is_between_the_supernet_its_choices_and_the_network(tmp_path, space, table):
    def evaluator(role, discretized=False):
        return {"scale_8_32": 0.0, "scale_16_32": 0.1 if discretized else 0.2}

    report = make_report(tmp_path, space, table)
    report.on_epoch_end(0)
    expected = {"supernet_miou": 0.2, "one_hot_miou": 0.1, "inherited_miou": 0.35}
    assert report.discretization_gap(evaluator) == {"teacher": expected, "student": expected}


def test_the_best_network_of_all_epochs_is_chosen(tmp_path, table):
    """By scores with the final weights, not those of its epoch."""
    space = make_space()
    final = {}

    def ranker(role, genotype):
        return final.get(genotype.id, 0.5)

    report = make_report(tmp_path, space, table, ranker)
    winners = []
    for epoch in range(3):
        generator = np.random.default_rng(epoch)
        for variable in space.architectures["student"].trainable_variables:
            variable.assign(generator.normal(size=variable.shape))
        report.on_epoch_end(epoch, {})
        winners.append(report.best["student"].genotype)
    assert len({each.id for each in winners}) == 3
    final.update(zip([each.id for each in winners], (0.3, 0.6, 0.4), strict=True))
    report.choose()
    assert report.best["student"].genotype == winners[1]
    ranking = read_json(tmp_path / "ranking.json")["student"]
    assert [each["miou"] for each in ranking] == [0.3, 0.6, 0.4]
    assert [each["epochs"] for each in ranking] == [[0], [1], [2]]
    assert [each["chosen"] for each in ranking] == [False, True, False]
    assert [FasterSegGenotype.from_json(each["genotype"]) for each in ranking] == winners


def test_the_band_comes_before_the_score(tmp_path, table):
    space = make_space()
    report = make_report(tmp_path, space, table, lambda role, genotype: 0.1)
    report.on_epoch_end(0, {})
    inside = report.best["student"]
    outside = dataclasses.replace(
        inside, genotype=space.candidates("teacher")["scale_8_32"], latency_ms=1e6
    )
    report.winners["student"] = [outside, inside]
    report.ranker = lambda role, genotype: 0.9 if genotype == outside.genotype else 0.1
    report.choose()
    assert report.best["student"].genotype == inside.genotype


def test_scores_that_are_no_number_are_null(tmp_path, space, table):
    nan = float("nan")
    make_report(tmp_path, space, table, scores_of(nan, nan)).on_epoch_end(0, {"loss": 1.0})
    (record,) = read_json(tmp_path / "search.json")
    assert record["student"]["inherited_miou"] == {"scale_8_32": None, "scale_16_32": None}
    assert record["student"]["genotype"]


@pytest.mark.parametrize(
    ("fps", "sentence"),
    [
        (
            (87.4, 80.0),
            "No epoch's candidate is inside the band of 155 to 175 FPS (predicted after the last: "
            "87.4, 80.0); the nearest one was chosen. λ was 0.12 after the first epoch and 0.24 "
            "after the last (increases: 2, decreases: 1). For faster networks, increase "
            "--search_penalty_weight or --search_epochs, or lower --search_min_fps.",
        ),
        (
            (200.0, 190.0),
            "No epoch's candidate is inside the band of 155 to 175 FPS (predicted after the last: "
            "200.0, 190.0); the nearest one was chosen. λ was 0.12 after the first epoch and 0.24 "
            "after the last (increases: 2, decreases: 1). For slower, more accurate networks, "
            "decrease --search_penalty_weight, increase --search_epochs, or raise "
            "--search_max_fps.",
        ),
        ((154.0, 160.0), None),
    ],
)
def test_a_student_outside_its_band(tmp_path, space, table, fps, sentence):
    assert outside(make_report(tmp_path, space, table, band=BAND), fps) == sentence


def test_a_student_outside_its_band_under_a_penalty_of_the_expected_latency(tmp_path, space, table):
    report = make_report(tmp_path, space, table, band=BAND, expected_ms=lambda choices: 1.0)
    assert "undecided. Increase --search_epochs" in outside(report, (200.0,))
    assert outside(report, (160.0,)) is None


def outside(report, fps):
    candidates = {
        str(index): Candidate(str(index), None, 0.5, 1000 / each) for index, each in enumerate(fps)
    }
    report.best = {"student": best_candidate(candidates, BAND)}
    predicted = {"student": {"fps_predicted": dict(enumerate(fps))}}
    report.records = [{"penalty_weight": each, **predicted} for each in (0.12, 0.24, 0.12, 0.24)]
    return report.outside_band()


def test_without_nan():
    nan = float("nan")
    assert without_nan({"a": [1, nan, {"b": nan}], "c": "x"}) == {
        "a": [1, None, {"b": None}],
        "c": "x",
    }


def test_a_report_goes_on_where_it_was_stopped(tmp_path, space, table):
    whole = make_report(tmp_path / "whole", space, table)
    whole.on_epoch_end(0, {"loss": 1.5})
    state = json.loads(json.dumps(whole.get_state()))
    whole.on_epoch_end(1, {"loss": 1.25})
    continued = make_report(tmp_path / "continued", space, table)
    continued.set_state(state)
    assert continued.best == {role: whole.best[role] for role in ("teacher", "student")}
    continued.on_epoch_end(1, {"loss": 1.25})
    name = "search.json"
    assert read_json(tmp_path / "continued" / name) == read_json(tmp_path / "whole" / name)


def test_the_state_of_scores_that_are_no_number(tmp_path, space, table):
    report = make_report(tmp_path, space, table, scores_of(*[float("nan")] * 2))
    report.on_epoch_end(0, {"loss": 1.0})
    state = json.loads(json.dumps(report.get_state(), allow_nan=False))
    other = make_report(tmp_path, space, table)
    other.set_state(state)
    assert np.isnan(other.best["student"].miou)
