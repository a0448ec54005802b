"""Branches that change variables, in a compiled function and outside."""

import keras
import numpy as np
import pytest

from keras_fasterseg.layers.layer_stack import trace_once
from keras_fasterseg.layers.stateful_cond import stateful_cond
from keras_fasterseg.runtimes.backend_device import backend_device


@pytest.mark.parametrize(("chosen", "outputs", "count"), [(True, 12.0, 7.0), (False, 3.0, 5.0)])
@pytest.mark.parametrize("compiled", [False, True])
def test_only_the_chosen_branch_changes_variables(chosen, outputs, count, compiled):
    factor = keras.Variable(4.0)
    counter = keras.Variable(5.0, trainable=False)

    def true_branch():
        counter.assign_add(2.0)
        return factor.value * 3.0

    def run(predicate):
        result = stateful_cond(
            predicate, true_branch, lambda: factor.value - 1.0, [factor, counter]
        )
        return result, keras.ops.copy(counter)

    if compiled and keras.backend.backend() == "tensorflow":
        run = trace_once(run)
    elif compiled:
        run = backend_device().compiled(run, [factor, counter])
    result, changed = run(keras.ops.convert_to_tensor(chosen))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(result), outputs)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(changed), count)
    if not compiled:
        assert float(counter) == count
