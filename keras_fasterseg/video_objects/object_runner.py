"""Runs a network of video object segmentation on frames, in Keras or from an export."""

import abc
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from PIL import Image

from keras_fasterseg.image_normalization import check_normalization, normalize_images
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.video_objects.network import ObjectNetwork
from keras_fasterseg.video_objects.proposals import Proposals, Propose, fitting_factor
from keras_fasterseg.video_objects.tracker import Tracker, TrackerOptions

Size = tuple[int, int]

OUTPUTS = ("boxes", "embedding_map", "embeddings", "foreground", "masks", "scores")
LEAST_SCORE = 0.3
"""Proposals with a smaller score are ignored; our choice."""


class ObjectGraph:
    """The network with its preprocessing: uint8 images to outputs by name.

    Args:
        network: The network.
    """

    def __init__(self, network: ObjectNetwork) -> None:
        self.network = network
        self._mean, self._std = check_normalization(network.mean, network.std)

    def outputs(self, images: Any) -> dict[str, Any]:
        """Outputs of the network for uint8 RGB images `(batch, height, width, 3)`."""
        # The Keras runner traces it for images of any size.
        images = ops.reshape(images, (-1, *self.network.input_size, 3))
        normalized = normalize_images(images, self._mean, self._std)
        return self.network(normalized, training=False)


class ObjectRunner(abc.ABC):
    """A network in one runtime.

    Attributes:
        network_size: Height and width of the network's images; frames are fitted into it.
    """

    network_size: Size

    @abc.abstractmethod
    def infer(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Outputs by name for one uint8 image `(1, *network_size, 3)`, see `ObjectNetwork`."""

    @abc.abstractmethod
    def describe(self) -> dict[str, object]:
        """Runtime, version, precision and device, as JSON values."""

    def __call__(self, frame: np.ndarray) -> Proposals:
        """Proposals for a frame, uint8 RGB `(height, width, 3)` of any size."""
        outputs = self.infer(self.resized(frame)[None])
        height, width = frame.shape[:2]
        return Proposals.of_outputs(outputs, self.network_size, (height, width), LEAST_SCORE)

    def resized(self, frame: np.ndarray) -> np.ndarray:
        """The frame fitted into `network_size` by Pillow's antialiased bilinear filter.

        It keeps its proportions; the border below or on the right repeats its last pixels.
        """
        if frame.shape[:2] == self.network_size:
            return frame
        scale = 1 / fitting_factor(self.network_size, frame.shape[:2])
        height, width = (max(1, round(scale * side)) for side in frame.shape[:2])
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
        margins = [
            (0, max(0, side - each))
            for side, each in zip(self.network_size, (height, width), strict=True)
        ]
        return np.pad(np.asarray(picture), (*margins, (0, 0)), mode="edge")


class KerasObjectRunner(ObjectRunner):
    """Runs a network in memory, on Keras's backend; it reads the weights at every call."""

    def __init__(self, network: ObjectNetwork) -> None:
        self.network_size = network.input_size
        self._device = backend_device()
        self._function = self._device.compiled(ObjectGraph(network).outputs, network.variables)

    def infer(self, images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = self._function(ops.convert_to_tensor(images))
        return {name: ops.convert_to_numpy(each) for name, each in outputs.items()}

    def describe(self) -> dict[str, object]:
        return {
            "runtime": "keras",
            "version": f"keras {keras.__version__}, {self._device.version()}",
            "precision": "float32",
            "threads": self._device.intra_op_threads(),
            "device": self._device.device_name(),
        }


class FollowedVideo:
    """Ids of the objects of every frame of a video, computed as its frames arrive.

    Iterate once; a frame is read, and its ids returned, before the next one is read.

    Args:
        runner: The network.
        frames: uint8 RGB frames `(height, width, 3)`, all of one size.
        first_mask: uint8 ids `(height, width)` of the first frame; None follows everything that
            the network finds.
        options: Constants of the tracker.

    Attributes:
        network_seconds: Seconds of the network for each frame, with resizing and pasting of masks.
        tracker_seconds: Seconds of the matching and the composition for each frame.
    """

    def __init__(
        self,
        runner: Propose,
        frames: Iterable[np.ndarray],
        first_mask: np.ndarray | None = None,
        options: TrackerOptions | None = None,
    ) -> None:
        self._runner, self._frames, self._first_mask = runner, frames, first_mask
        self._tracker = Tracker(options)
        self.network_seconds: list[float] = []
        self.tracker_seconds: list[float] = []

    def __iter__(self) -> Iterator[np.ndarray]:
        for number, frame in enumerate(self._frames):
            start = time.perf_counter()
            proposals = self._runner(frame)
            middle = time.perf_counter()
            if number == 0 and self._first_mask is not None:
                ids = self._tracker.start(proposals, self._first_mask)
            else:
                ids = self._tracker.update(proposals)
            end = time.perf_counter()
            self.network_seconds.append(middle - start)
            self.tracker_seconds.append(end - middle)
            yield ids
