import numpy as np

from keras_fasterseg.latency.operations import total_work
from keras_fasterseg.spaces.cost import deployed_keys
from keras_fasterseg.spaces.gas.space import GasSpace


def test_random_networks_are_slow_and_fast_ones():
    """Or the line through a few of them, which calibrates a table, could have any slope."""
    space, generator = GasSpace(), np.random.default_rng(0)
    drawn = [space.random_genotype(generator) for _ in range(20)]
    macs = [total_work(deployed_keys(each, (64, 64), 3)).macs for each in drawn]
    # Uniform choices give .05 to .07.
    assert np.std(macs) > 0.1 * np.mean(macs)
    assert len({each.id for each in drawn}) == 20
