"""The list of workers. Their steps: tests/integration/workers_test.py."""

import json

import pytest

from keras_fasterseg import workers


def config(kind="worker", index=0, **cluster):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def test_the_place_of_a_worker():
    assert workers._cluster(config(index=1, worker=["a:1", "b:1"])) == (2, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "",
        "{}",
        "[]",
        config(index=2, worker=["a:1", "b:1"]),
        config(index=-1, worker=["a:1"]),
        config("chief", worker=["a:1"]),
        config(worker=["a:1"], ps=["b:1"]),
    ],
)
def test_a_wrong_list(wrong):
    with pytest.raises(ValueError, match="need the environment variable TF_CONFIG, such as"):
        workers._cluster(wrong)


def test_a_single_process_is_the_chief():
    assert workers.is_chief()
    assert (workers.total(), workers.rank()) == (1, 0)
    assert workers.from_chief([1.0, 2.0]) == [1.0, 2.0]
    assert not workers.chief_decides()
    assert workers.chief_decides(True)
