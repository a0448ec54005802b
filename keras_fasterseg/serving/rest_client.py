"""REST client for TensorFlow Serving and other servers with its protocol."""

from typing import Any

import numpy as np

from keras_fasterseg.runtimes.saved_model_format import CLASS_IDS_SIGNATURE
from keras_fasterseg.serving.client import SegmentationClient
from keras_fasterseg.serving.errors import ServingError
from keras_fasterseg.serving.http import HttpConnection
from keras_fasterseg.serving.image_json import image_json

_SIGNATURE = CLASS_IDS_SIGNATURE.encode()


class RestClient(SegmentationClient):
    """Calls `/v1/models/NAME[/versions/N]:predict` in the row format.

    Images and class ids are sent as decimal numbers in JSON. This is convenient, but takes several
    times the bytes of gRPC.

    Args:
        server: Host and port, such as `127.0.0.1:8501`; use the prefix `https://` for encryption.
        model: See `SegmentationClient`.
        **options: `version`, `timeout_s` and `attempts` of `SegmentationClient`.

    Reference:
        https://www.tensorflow.org/tfx/serving/api_rest
    """

    default_port = 8501

    def __init__(self, server: str, model: str, **options: Any) -> None:
        super().__init__(server, model, **options)
        self._connection = HttpConnection(self.server, self._timeout_s, self._attempts)
        version = "" if self.version is None else f"/versions/{self.version}"
        self._path = f"/v1/models/{model}{version}:predict"

    def _predict(self, images: np.ndarray) -> Any:
        response = self._connection.post(
            self._path,
            b'{"signature_name":"%b","instances":%b}' % (_SIGNATURE, image_json(images)),
            {"Content-Type": "application/json"},
        )
        try:
            return response.json()["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise ServingError(
                f"{self._connection.url + self._path} answered without `predictions`; check that "
                "it supports TensorFlow Serving's row format."
            ) from error

    def close(self) -> None:
        self._connection.close()
