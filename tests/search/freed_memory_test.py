"""Memory that is freed inside the block leaves the process."""

import numpy as np
import psutil
import pytest

from keras_fasterseg.search.freed_memory import returned_to_system


def test_a_freed_block_leaves_the_process():
    process = psutil.Process()
    with returned_to_system():
        # 24 MiB lies between the block's threshold and the largest one glibc can have.
        blocks = [np.ones(3 * 2**20, "float64") for _ in range(8)]
        held = process.memory_info().rss
        del blocks
        assert held - process.memory_info().rss > 100 * 2**20


def test_an_exception_passes_through():
    with pytest.raises(KeyError, match="inside"), returned_to_system():
        raise KeyError("inside")
