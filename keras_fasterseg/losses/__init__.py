"""What training and search minimise."""

from keras_fasterseg.losses.distillation import Distillation, distillation_loss
from keras_fasterseg.losses.ohem_cross_entropy import OhemCrossEntropy, ohem_cross_entropy

__all__ = ["Distillation", "OhemCrossEntropy", "distillation_loss", "ohem_cross_entropy"]
