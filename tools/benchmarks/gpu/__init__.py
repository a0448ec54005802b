"""Measurements on a GPU, piece by piece, for machines without TensorFlow."""
