"""A search that is killed in the middle of shrinking resumes with equal results."""

import contextlib
import dataclasses

import pytest

from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.spaces.joint.space import JointSpace
from tests.search.killed_search import SIZE, assert_resumes
from tests.search.tiny_space import functions_run_eagerly
from tests.spaces.joint.tiny import SETTINGS

SEARCH = SearchSettings(
    epochs=3,
    steps_per_epoch=1,
    batch_size=1,
    crop_size=SIZE,
    downsample=1,
    validation_images=1,
    optimizer="adam",
    architecture_learning_rate=0.1,
)
# Three steps of Adam move a logit by a tenth each: sigmoids then differ by 10, 20 and 30 %.
SPACE = JointSpace(dataclasses.replace(SETTINGS, shrinking_ratio=0.85))


# Graphs take a minute to trace.
@pytest.mark.parametrize(
    "running", [functions_run_eagerly, pytest.param(contextlib.nullcontext, marks=pytest.mark.slow)]
)
def test_a_search_killed_while_it_shrinks_resumes_bit_for_bit(tmp_path, running):
    records, _ = assert_resumes(tmp_path, SPACE, SEARCH, killed_after=2, running=running)
    left = [each["log10_networks_left"] for each in records]
    assert left[0] > left[1] > left[2] >= 0, left
