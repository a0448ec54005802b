"""The list of measurements of networks."""

import dataclasses

from tools.benchmarks.gpu.cases import BASELINE, Case, all_cases


def test_changes_become_arguments():
    case = Case("a/net.json", 8, "fp16", "torch", "plain+folded+multiple=16", "graph")
    assert case.options() == {"folded": True, "multiple": 16}
    assert case.name == "net/b8/fp16/torch/plain+folded+multiple=16/graph"
    assert Case(**dataclasses.asdict(case)) == case


def test_names_differ_and_float32_comes_before_what_is_compared_with_it():
    groups = all_cases(["a", "b"], (1, 8), ("fp32", "fp16"), ("jax", "torch"))
    names = [case.name for group in groups for case in group]
    assert len(set(names)) == len(names)
    for group in groups:
        assert len({case.backend for case in group}) == 1
    first = {}
    for group in groups:
        for case in group:
            first.setdefault(case.network, case.precision)
    assert set(first.values()) == {"fp32"}


def test_the_baseline_is_measured_for_every_network_batch_and_precision():
    groups = all_cases(["a", "b"], (1, 8), ("fp32", "fp16"), ("torch",))
    keys = [
        (case.network, case.batch, case.precision)
        for group in groups
        for case in group
        if (case.backend, case.model, case.runner) == BASELINE
    ]
    assert len(set(keys)) == len(keys) == 8


def test_without_a_backend_there_is_nothing():
    assert all_cases(["a"], (1,), ("fp32",), ()) == []
