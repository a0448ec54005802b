import types

import keras
import pytest

from keras_fasterseg.search.penalty_controller import PenaltyController, adapted_weight


@pytest.mark.parametrize(
    ("fps", "factor"),
    [
        ([160.0, 170.0], 1.0),  # inside the band
        ([160.0, 176.0], 0.5),  # one too fast
        ([180.0, 176.0], 0.5),  # both too fast: halved once
        ([150.0, 170.0], 2.0),  # one too slow
        ([150.0, 140.0], 2.0),
        ([150.0, 180.0], 1.0),  # both at once cancel
        ([175.0], 0.5),  # the ends count as outside
        ([155.0], 2.0),
        ([], 1.0),
    ],
)
def test_adapted_weight(fps, factor):
    assert adapted_weight(0.06, fps, min_fps=155.0, max_fps=175.0) == pytest.approx(0.06 * factor)


@pytest.mark.parametrize(
    ("fps", "factor"),
    [([160.0], 1.0), ([180.0], 2.0), ([150.0, 160.0], 2.0), ([150.0, 180.0], 2.0)],
)
def test_a_two_sided_penalty_grows_outside_the_band(fps, factor):
    assert adapted_weight(3.0, fps, 155.0, 175.0, two_sided=True) == 3.0 * factor


def test_the_weight_of_the_model_is_adapted_epoch_by_epoch():
    rates = iter([[200.0], [200.0, 160.0], [100.0]])
    controller = PenaltyController(lambda: next(rates), 155.0, 175.0)
    model = types.SimpleNamespace(penalty_weight=keras.Variable(0.08, trainable=False))
    controller.set_model(model)
    seen = []
    for epoch in range(3):
        logs = {"loss": 1.0}
        controller.on_epoch_end(epoch, logs)
        assert logs["penalty_weight"] == float(model.penalty_weight)
        seen.append(logs["penalty_weight"])
    assert seen == pytest.approx([0.04, 0.02, 0.04])


@pytest.mark.parametrize("band", [(0.0, 10.0), (-1.0, 10.0), (10.0, 10.0), (20.0, 10.0)])
def test_an_empty_band_is_refused(band):
    low, high = band
    with pytest.raises(ValueError, match=f"min_fps={low}, max_fps={high}"):
        PenaltyController(list, low, high)
