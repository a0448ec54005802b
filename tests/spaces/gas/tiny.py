"""Settings of the smallest GAS-style supernet, for the tests of every space."""

import dataclasses

from keras_fasterseg.spaces.gas.settings import GasSettings

SETTINGS = GasSettings(
    cells=4, initial_filters=2, reductions=(0, 1, 3), decoder_filters=4, guidance_features=4
)

VARIANTS = {"dense": dataclasses.replace(SETTINGS, fusion="dense")}
