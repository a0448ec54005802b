"""Metrics of segmentation quality."""

from keras_fasterseg.metrics.mean_iou import IoUResult, MeanIoU, iou_from_confusion

__all__ = ["IoUResult", "MeanIoU", "iou_from_confusion"]
