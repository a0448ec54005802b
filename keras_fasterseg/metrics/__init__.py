"""What says how good a segmentation is."""

from keras_fasterseg.metrics.mean_iou import IoUResult, MeanIoU, iou_from_confusion

__all__ = ["IoUResult", "MeanIoU", "iou_from_confusion"]
