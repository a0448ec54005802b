"""Memory that is freed inside the block leaves the process."""

import subprocess
import sys

import pytest

from keras_fasterseg.search.freed_memory import returned_to_system
from tests.shared import ROOT

# 24 MiB lies between the block's threshold and the largest one glibc can have.
PROGRAM = """
import numpy, psutil
from keras_fasterseg.search.freed_memory import (returned_to_system)

process = psutil.Process()
with returned_to_system():
    blocks = [numpy.ones(3 * 2**20, "float64") for _ in range(8)]
    held = process.memory_info().rss
    del blocks
    print(held - process.memory_info().rss)
"""


def test_a_freed_block_leaves_the_process():
    """In a process of its own: one that has run other tests has free memory to put blocks in."""
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert int(finished.stdout) > 100 * 2**20


def test_an_exception_passes_through():
    with pytest.raises(KeyError, match="inside"), returned_to_system():
        raise KeyError("inside")
