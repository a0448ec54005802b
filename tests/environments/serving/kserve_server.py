"""A kserve server on 127.0.0.1 that serves a SavedModel by TensorFlow alone.

python kserve_server.py FOLDER NAME PORT MAXIMUM_PIXELS
"""

import asyncio
import gc
import sys
from typing import Any

import kserve
import numpy as np
import tensorflow as tf
import uvicorn
from kserve.errors import InvalidInput
from kserve.protocol.rest import server as rest_server


class LoopbackConfig(uvicorn.Config):
    """kserve would listen on every address of the machine."""

    def __init__(self, app: Any, host: str, **options: Any) -> None:
        super().__init__(app, host="127.0.0.1", **options)


class SavedModel(kserve.Model):
    """What a SavedModel's default signature says to the rows of a request."""

    def __init__(self, folder: str, name: str, maximum_pixels: int) -> None:
        super().__init__(name)
        self._loaded = tf.saved_model.load(folder)
        self._maximum_pixels = maximum_pixels
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None) -> dict[str, Any]:
        images = self._images(payload)
        signature = self._loaded.signatures["serving_default"]
        try:
            outputs = await asyncio.to_thread(lambda: signature(images=tf.constant(images)))
        except tf.errors.InvalidArgumentError as error:
            raise InvalidInput(error.message) from error
        return {"predictions": outputs["class_ids"].numpy().tolist()}

    def _images(self, payload: Any) -> np.ndarray:
        try:
            rows = np.asarray(payload["instances"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput("`instances` must be images of one size") from error
        if not np.issubdtype(rows.dtype, np.integer) or rows.min() < 0 or rows.max() > 255:
            raise InvalidInput(f"images must be uint8, they are {rows.dtype}")
        if rows.ndim != 4 or rows.shape[3] != 3:
            raise InvalidInput(f"images must be (batch, height, width, 3), not {rows.shape}")
        if rows[..., 0].size > self._maximum_pixels:
            raise InvalidInput(f"more than {self._maximum_pixels} pixels: {rows.shape}")
        return rows.astype(np.uint8)


def main() -> None:
    folder, name, port, maximum_pixels = sys.argv[1:]
    rest_server.uvicorn.Config = LoopbackConfig
    server = kserve.ModelServer(http_port=int(port), enable_grpc=False)
    model = SavedModel(folder, name, int(maximum_pixels))
    # Nested lists of a request would let the collector go through all of TensorFlow's objects.
    gc.freeze()
    server.start([model])


if __name__ == "__main__":
    main()
