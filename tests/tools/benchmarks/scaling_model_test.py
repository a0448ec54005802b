"""Times of simulated steps against sums by hand."""

import math

import pytest

from tools.benchmarks.collective_operations import KINDS
from tools.benchmarks.scaling_model import (
    CHANGES,
    Network,
    Step,
    Sums,
    end_of_scaling,
    step_of,
    strong_efficiency,
    weak_efficiency,
)

NETWORK = Network(
    node_devices=4,
    node_bytes_per_second=100.0,
    node_seconds=0.5,
    link_bytes_per_second=10.0,
    hop_seconds=2.0,
)


def step(fixed=0.0, image=1.0, **sums) -> Step:
    return Step(fixed, image, {**dict.fromkeys(KINDS, Sums(0, 0)), **sums})


def test_one_device_sums_nothing():
    assert NETWORK.seconds(9, 1e9, 1) == 0
    alone = step(fixed=2.0, gradients=Sums(3, 50)).times(1, 4, NETWORK, speed_up=3)
    assert (alone.total, alone.gradients) == (2.0, 0)


def test_two_devices():
    # Each sends half of the bytes twice, at 100 bytes per second.
    assert NETWORK.seconds(3, 50, 2) == pytest.approx(3 * 0.5 + 50 / 100)


def test_four_nodes_of_four_devices():
    within = 3 * 0.5 + 2 * 3 / 4 * 50 / 100
    # Up and down a tree of two levels; a ring of four nodes.
    between = 3 * 2 * 2 * 2.0 + 2 * 3 / 4 * 50 / 10
    assert NETWORK.seconds(3, 50, 16) == pytest.approx(within + between)


def test_nodes_of_one_device_have_only_links():
    single = Network(node_devices=1, link_bytes_per_second=10.0, hop_seconds=2.0)
    assert single.seconds(1, 50, 2) == pytest.approx(2 * 2.0 + 50 / 10)


def test_statistics_have_a_row_for_every_device():
    own = step(statistics=Sums(1, 10), statistic_gradients=Sums(1, 20))
    found = own.times(2, 1, NETWORK).statistics
    assert found == pytest.approx((0.5 + 2 * 10 / 100) + (0.5 + 20 / 100))


def test_hard_pixels_are_of_all_images_of_all_devices_if_they_are_few():
    own = step(hard_pixels=Sums(1, 10), losses=Sums(1, 0))
    assert own.times(2, 3, NETWORK).losses == pytest.approx(0.5)
    few = {change.name: change for change in CHANGES}["few pixels are hard"].apply(own)
    assert few.times(2, 3, NETWORK).losses == pytest.approx(0.5 + 0.5 + 2 * 3 * 10 / 100)


def test_efficiencies():
    own = step(fixed=1.0, image=1.0, gradients=Sums(1, 50))
    assert weak_efficiency(own, 2, 4, NETWORK, 1) == pytest.approx(5 / (5 + 1))
    assert strong_efficiency(own, 2, 4, NETWORK, 1) == pytest.approx(5 / 2 / (3 + 1))
    assert weak_efficiency(own, 1, 4, NETWORK, 1) == strong_efficiency(own, 1, 4, NETWORK, 1) == 1


def test_the_end_of_scaling():
    assert end_of_scaling(lambda devices: 1 / math.sqrt(devices)) == 8
    assert end_of_scaling(lambda devices: 0.5) is None


def test_changes_by_hand():
    own = step(
        statistics=Sums(2, 10),
        statistic_gradients=Sums(2, 20),
        gradients=Sums(4, 100),
        losses=Sums(1, 4),
        hard_pixels=Sums(3, 30),
    )
    changed = {change.name: change.apply(own).times(2, 1, NETWORK) for change in CHANGES}
    assert changed["statistics not synchronised"].statistics == 0
    assert changed["statistics added up, not gathered"].statistics == pytest.approx(4 * 0.5 + 0.3)
    assert changed["four sums of statistics in one"].statistics == pytest.approx(0.5 + 0.4)
    assert changed["gradients in float16"].gradients == pytest.approx(4 * 0.5 + 0.5)
    assert changed["half the passes"].compute == 0.5
    assert changed["half the passes"].gradients == changed["none"].gradients
    fifth = changed["a sampled fifth of the supernet"]
    assert (fifth.compute, fifth.gradients) == pytest.approx((0.2, 4 * 0.5 + 0.2))
    counted = changed["few pixels are hard, found by counts"]
    assert counted.losses == pytest.approx(97 * 0.5 + (4 + 3 * 32 * 4) / 100)


def test_a_measured_step():
    sums = {kind: {"operations": 2, "bytes": 40} for kind in KINDS}
    own = step_of({"step_seconds": {"1": 3.0, "2": 5.0}, "sums": sums})
    assert (own.fixed_seconds, own.image_seconds) == (1.0, 2.0)
    # Measured on two replicas: a row of statistics is half of the bytes.
    assert own.sums["statistics"] == Sums(2, 20)
    assert own.sums["gradients"] == Sums(2, 40)


def test_a_measured_step_whose_second_image_costs_more():
    own = step_of({"step_seconds": {"1": 1.0, "2": 3.0}, "sums": {}})
    assert (own.fixed_seconds, own.image_seconds) == (0.0, 1.5)
