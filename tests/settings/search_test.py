import pytest

from keras_fasterseg.settings.search import SearchSettings


def test_the_temperature_falls_linearly_or_by_a_factor():
    linear = SearchSettings(epochs=150, temperature=1.0, temperature_end=0.03)
    assert [linear.temperature_of(epoch) for epoch in (0, 75, 150)] == pytest.approx(
        [1, 0.515, 0.03]
    )
    assert SearchSettings(temperature=2.0).temperature_of(7) == 2.0
    decaying = SearchSettings(temperature=2.0, temperature_decay=0.5)
    assert decaying.temperature_of(3) == 0.25
