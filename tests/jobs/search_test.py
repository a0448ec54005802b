"""Files that a search reads from its folder; the search itself is tested elsewhere."""

import keras

from keras_fasterseg.jobs.search import table_of_search
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.names import LATENCY_TABLE
from tests.run.latency_rows import random_table
from tests.search.tiny_space import NUM_CLASSES, SPACE


def test_a_search_goes_on_with_the_table_that_it_began_with(tmp_path):
    first = random_table(SPACE, (64, 128), NUM_CLASSES)
    assert table_of_search(tmp_path, first) is first
    calibrated = first.calibrated(Calibration(2.0, 0.0, 4))
    # Without a checkpoint it begins again.
    assert table_of_search(tmp_path, calibrated) is calibrated
    assert LatencyTable.load(tmp_path / LATENCY_TABLE) == calibrated
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    Checkpoints(tmp_path).save(model, 1, 0, {})
    assert table_of_search(tmp_path, first) == calibrated
