"""Searches that score networks one by one, or choose them by their cost."""

import dataclasses

import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.jobs import sampled_search as job
from keras_fasterseg.jobs.search import search_stage
from keras_fasterseg.run.run import Run
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.cost import network_work, predicted_latency_ms
from keras_fasterseg.spaces.registry import load_genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.run.latency_rows import random_table
from tests.search.tiny_space import SPACE

SIZE = (64, 96)
DATA = DataSettings(synthetic_train_images=3, synthetic_val_images=1, synthetic_size=SIZE)
SETTINGS = SearchSettings(
    strategy="evolution",
    networks=5,
    population=3,
    batch_size=1,
    crop_size=(64, 64),
    downsample=1,
    validation_images=1,
    min_fps=1e-3,
    max_fps=1e6,
)


@pytest.fixture(scope="module")
def table():
    return random_table(SPACE, SIZE, 19)


@pytest.fixture
def scores(monkeypatch):
    """Networks that were scored; a score depends on the genotype alone."""
    scored = []

    class FixedRanker:
        def __init__(self, *arguments):
            pass

        def __call__(self, role, genotype):
            assert role == STUDENT
            scored.append(genotype)
            return int(genotype.id[:6], 16) / 16**6

    monkeypatch.setattr(job, "make_ranker", FixedRanker)
    monkeypatch.setattr(type(SPACE), "search_model", lambda *arguments: None)
    return scored


def run_search(folder, table, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    folder.mkdir(exist_ok=True)
    source = Run(folder, DATA).source
    return job.sampled_search(folder, source, DATA, SPACE, settings, table, None, seed=0)


@pytest.mark.parametrize("strategy", ["evolution", "random"])
def test_the_best_scored_network_of_the_band_is_chosen(tmp_path, table, scores, strategy):
    found = run_search(tmp_path, table, strategy=strategy)
    assert len(scores) == len({each.id for each in scores}) == 5
    candidates = [each["candidate"] for each in read_json(tmp_path / "candidates.json")]
    assert [each["genotype"]["id"] for each in candidates] == [each.id for each in scores]
    best = max(candidates, key=lambda each: each["miou"] * each["latency_ms"] ** -0.07)
    assert found[STUDENT].id == best["genotype"]["id"]
    assert found[TEACHER] == SPACE.largest_genotype(TEACHER)
    for role, genotype in found.items():
        assert load_genotype(tmp_path / f"{role}.json") == genotype


def test_a_single_random_network_is_not_scored(tmp_path, table, scores):
    found = run_search(tmp_path, table, strategy="random", networks=1)
    assert not scores
    assert load_genotype(tmp_path / "student.json") == found[STUDENT]
    assert not (tmp_path / "candidates.json").exists()


def test_the_front_has_the_networks_that_no_other_beats(tmp_path, table, scores):
    run_search(tmp_path, table, networks=12)
    candidates = [each["candidate"] for each in read_json(tmp_path / "candidates.json")]
    front = read_json(tmp_path / "front.json")

    def beaten(one):
        return any(
            other["miou"] >= one["miou"]
            and other["latency_ms"] <= one["latency_ms"]
            and (other["miou"], other["latency_ms"]) != (one["miou"], one["latency_ms"])
            for other in candidates
        )

    expected = {each["genotype"]["id"] for each in candidates if not beaten(each)}
    assert {each["genotype"]["id"] for each in front} == expected
    latencies = [each["latency_ms"] for each in front]
    assert latencies == sorted(latencies, reverse=True)


def test_networks_without_a_score_are_not_on_the_front(tmp_path, table, scores, monkeypatch):
    make, latencies = job.make_ranker, []

    def without_the_fastest(*arguments):
        ranker = make(*arguments)

        def score(role, genotype):
            latencies.append(predicted_latency_ms(genotype, table, 19))
            value = ranker(role, genotype)
            return float("nan") if latencies[-1] == min(latencies) else value

        return score

    monkeypatch.setattr(job, "make_ranker", without_the_fastest)
    run_search(tmp_path, table, networks=12)
    candidates = [each["candidate"] for each in read_json(tmp_path / "candidates.json")]
    fastest = min(candidates, key=lambda each: each["latency_ms"])
    assert fastest["miou"] is None
    front = read_json(tmp_path / "front.json")
    best = max((each for each in candidates if each["miou"]), key=lambda each: each["miou"])
    assert front[0]["genotype"]["id"] == best["genotype"]["id"]
    assert all(each["miou"] is not None for each in front)


def test_an_interrupted_search_scores_only_the_rest(tmp_path, table, scores):
    whole = run_search(tmp_path / "whole", table, networks=8)
    first = [each.id for each in scores]
    scores.clear()
    run_search(tmp_path / "cut", table, networks=4)
    scores.clear()
    assert run_search(tmp_path / "cut", table, networks=8) == whole
    assert [each.id for each in scores] == first[4:]


@pytest.mark.parametrize(
    ("strategy", "cost"), [("most_macs", "macs"), ("most_parameters", "trainable")]
)
def test_baselines_score_nothing(tmp_path, table, scores, strategy, cost):
    generator = np.random.default_rng(0)
    drawn = [SPACE.random_genotype(generator) for _ in range(50)]
    fps = [1000 / predicted_latency_ms(each, table, 19) for each in drawn]
    low, high = np.quantile(fps, 0.3), np.quantile(fps, 0.7)
    found = run_search(tmp_path, table, strategy=strategy, min_fps=low, max_fps=high)[STUDENT]
    assert scores == []
    inside = [each for each, rate in zip(drawn, fps, strict=True) if low <= rate <= high]
    assert getattr(network_work(found, SIZE, 19), cost) >= max(
        getattr(network_work(each, SIZE, 19), cost) for each in inside
    )
    assert low <= 1000 / predicted_latency_ms(found, table, 19) <= high
    assert not (tmp_path / "candidates.json").exists()


def test_without_a_network_inside_the_band_the_nearest_is_chosen(tmp_path, table, scores, caplog):
    fastest = run_search(tmp_path, table, min_fps=1e5, max_fps=1e6)[STUDENT]
    latencies = {each.id: predicted_latency_ms(each, table, 19) for each in scores}
    assert fastest.id == min(latencies, key=latencies.__getitem__)


@pytest.mark.backends("tensorflow", "jax")
def test_a_stage_with_real_scores_writes_its_page(tmp_path, table):
    table.save(tmp_path / "table.json")
    weights = tmp_path / "supernet.weights.h5"
    SPACE.search_model(19, 0).supernet.save_weights(weights)
    run = Run(tmp_path / "run", DATA)
    settings = dataclasses.replace(SETTINGS, networks=2, population=2)
    found = search_stage(run, SPACE, settings, weights, tmp_path / "table.json")
    page = (run.path / "search" / "report.html").read_text(encoding="utf-8")
    assert "Strategy evolution on synthetic, for 0.001 to 1e+06 FPS" in page
    assert f"<tr class=chosen><td>{found[STUDENT].id}</td>" in page
    # Candidates, student and teacher; there are no epochs to draw.
    assert page.count("data:image/svg+xml;base64,") == 3
    candidates = [each["candidate"] for each in read_json(run.path / "search" / "candidates.json")]
    assert all(0 <= each["miou"] <= 1 for each in candidates)
