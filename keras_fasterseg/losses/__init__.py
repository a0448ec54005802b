"""Losses of training and search."""

from keras_fasterseg.losses.distillation import distillation_loss
from keras_fasterseg.losses.ohem_cross_entropy import OhemCrossEntropy, ohem_cross_entropy

__all__ = ["OhemCrossEntropy", "distillation_loss", "ohem_cross_entropy"]
