"""Runs an ONNX file in OpenCV's dnn module: MODEL IMAGES.npy OUTPUT.npz."""

import sys

import cv2
import numpy as np

model, images, output = sys.argv[1:]
net = cv2.dnn.readNetFromONNX(model)
net.setInput(np.load(images))
names = net.getUnconnectedOutLayersNames()
np.savez(output, **dict(zip(names, net.forward(names), strict=True)))
sys.stdout.write(cv2.__version__)
