import numpy as np
import pytest

from keras_fasterseg.jobs import measure_networks as job
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace
from tests.run.latency_rows import random_table
from tests.search.tiny_space import NUM_CLASSES, SETTINGS, SPACE

SIZE = (64, 128)


def test_networks_are_different_and_the_same_for_a_seed():
    drawn = job.random_networks(SPACE, 6, seed=3)
    assert len({genotype.id for genotype in drawn}) == 6
    assert drawn == job.random_networks(SPACE, 6, seed=3)
    assert drawn != job.random_networks(SPACE, 6, seed=4)
    assert {genotype.stem_width for genotype in drawn} == {SETTINGS.student_width}


def test_others_are_left_out():
    drawn = job.random_networks(SPACE, 6, seed=3)
    others = job.random_networks(SPACE, 5, seed=4, others=drawn)
    assert not {each.id for each in drawn} & {each.id for each in others}


def test_a_space_that_is_used_up(monkeypatch):
    (only,) = job.random_networks(SPACE, 1, seed=0)
    monkeypatch.setattr(FasterSegSpace, "random_genotype", lambda space, generator: only)
    with pytest.raises(ValueError, match="200 random draws from this space gave only 1 different"):
        job.random_networks(SPACE, 2, seed=0)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("runtime", ["saved_model", "onnxruntime"])
def test_networks_run_where_the_table_was_measured(runtime, monkeypatch):
    table = random_table(SPACE, SIZE, NUM_CLASSES, runtime)
    seen = []
    measure = job.interleaved

    def spy(runners, **options):
        seen.append({name: runner.describe() for name, runner in runners.items()})
        for runner in runners.values():
            ids = runner(np.zeros((1, *SIZE, 3), np.uint8))
            assert ids.max() < NUM_CLASSES
        assert options["input_size"] == SIZE
        return measure(runners, **{**options, "pause_ms": 0, "settle_ms": 0})

    monkeypatch.setattr(job, "interleaved", spy)
    # Two at a time: three networks are measured in two groups.
    monkeypatch.setattr(job, "PIXELS_TOGETHER", 2 * 64 * 128)
    genotypes = job.random_networks(SPACE, 3, seed=0)
    times = job.measure_networks(
        genotypes, table, NUM_CLASSES, repetitions=2, seconds=0.0, progress=False
    )
    assert [each.repetitions for each in times] == [2, 2, 2]
    assert [len(group) for group in seen] == [2, 1]
    facts = {name: fact for group in seen for name, fact in group.items()}
    assert [facts[each.id]["genotype"] for each in genotypes] == [each.id for each in genotypes]
    fingerprint = table.metadata.fingerprint
    assert {fact["runtime"] for fact in facts.values()} == {runtime}
    assert {fact["threads"] for fact in facts.values()} == {fingerprint.threads}
    assert isinstance(table, LatencyTable)
