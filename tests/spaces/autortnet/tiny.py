"""Settings of the smallest AutoRTNet-style supernet, for the tests of every space."""

from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings

SETTINGS = AutoRTNetSettings(
    cells=4,
    initial_filters=2,
    decoder_filters=4,
    pruning_warmup=1,
    pruning_interval=1,
    pruning_ratio=1.0,
)

SAMPLES_NETWORKS = True
"""A search step runs the states that it has drawn."""
