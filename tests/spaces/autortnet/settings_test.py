import pytest

from keras_fasterseg.setting import check_settings
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [("cells", 0), ("initial_filters", 3), ("decoder_filters", 0), ("pruning_ratio", 2.0)],
)
def test_invalid_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"autortnet_{name}"):
        check_settings(AutoRTNetSettings(**{name: value}), "autortnet_")


def test_settings_of_the_pruning_change_no_operation():
    changed = AutoRTNetSettings(pruning_warmup=3, pruning_interval=2, pruning_ratio=0.3)
    assert changed.of_operations == AutoRTNetSettings()
