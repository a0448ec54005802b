"""Runs an ONNX file as any program with ONNX Runtime would: MODEL IMAGES.npy OUTPUT.npz."""

import sys

import numpy as np
import onnxruntime

model, images, output = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
names = [each.name for each in session.get_outputs()]
results = session.run(names, {session.get_inputs()[0].name: np.load(images)})
np.savez(output, **dict(zip(names, results, strict=True)))
sys.stdout.write(onnxruntime.__version__)
