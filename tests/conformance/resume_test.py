"""Contract of every registered search space with resumed searches."""

import pytest

from keras_fasterseg.settings.search import SearchSettings
from tests.conformance.spaces import NAMES
from tests.search.killed_search import assert_resumes

SEARCH = SearchSettings(
    epochs=2,
    steps_per_epoch=1,
    batch_size=1,
    crop_size=(64, 64),
    downsample=1,
    validation_images=1,
    architecture_learning_rate=0.1,
)


@pytest.mark.parametrize(
    "space",
    # Half a minute for a space that is built in.
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "toy")) for name in NAMES],
    indirect=True,
)
def test_a_search_that_was_killed_resumes_bit_for_bit(space, tmp_path):
    _, genotypes = assert_resumes(tmp_path, space, SEARCH, killed_after=1)
    assert tuple(genotypes) == space.roles
