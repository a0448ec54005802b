import pytest

from keras_fasterseg.setting import check_settings
from keras_fasterseg.spaces.gas.settings import GasSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_filters": 3}, "initial_filters must be even"),
        ({"reductions": (4, 1)}, "ascending"),
        ({"reductions": (1, 14)}, "below cells=14"),
        ({"reductions": (0, 1, 2, 3, 4)}, "1 to 4 cells"),
        ({"reductions": (1, 4), "fusion": "dense"}, "needs three reductions"),
        ({"guidance": -1.0}, "guidance"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check_settings(GasSettings(**options))


def test_guidance_changes_no_operation():
    assert GasSettings(guidance=0.0).of_operations == GasSettings().of_operations
    assert GasSettings(fusion="dense").of_operations != GasSettings().of_operations
