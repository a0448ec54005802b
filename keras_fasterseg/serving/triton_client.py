"""Client for Triton and other servers with KServe's protocol version 2 and binary extension."""

import json
from typing import Any

import numpy as np

from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.signature import CLASS_IDS
from keras_fasterseg.serving.client import SegmentationClient
from keras_fasterseg.serving.errors import ServingError
from keras_fasterseg.serving.http import HttpConnection

# Length of the JSON, which the bytes of the tensors follow.
_JSON_LENGTH = "Inference-Header-Content-Length"


class TritonClient(SegmentationClient):
    """Calls `/v2/models/NAME[/versions/N]/infer`, with images and class ids as bytes.

    Args:
        server: Host and port, such as `127.0.0.1:8000`; use the prefix `https://` for encryption.
        model: See `SegmentationClient`.
        **options: `version`, `timeout_s` and `attempts` of `SegmentationClient`.

    Reference:
        https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
    """

    default_port = 8000

    def __init__(self, server: str, model: str, **options: Any) -> None:
        super().__init__(server, model, **options)
        self._connection = HttpConnection(self.server, self._timeout_s, self._attempts)
        version = "" if self.version is None else f"/versions/{self.version}"
        self._path = f"/v2/models/{model}{version}/infer"

    def _predict(self, images: np.ndarray) -> Any:
        header = json.dumps(
            {
                "inputs": [
                    {
                        "name": INPUT_NAME,
                        "datatype": "UINT8",
                        "shape": list(images.shape),
                        "parameters": {"binary_data_size": images.nbytes},
                    }
                ],
                "outputs": [{"name": CLASS_IDS, "parameters": {"binary_data": True}}],
            }
        ).encode()
        response = self._connection.post(
            self._path,
            header + images.tobytes(),
            {"Content-Type": "application/octet-stream", _JSON_LENGTH: str(len(header))},
        )
        try:
            return _class_ids(response)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ServingError(
                f"{self._connection.url + self._path} answered without {CLASS_IDS}; check that it "
                "supports KServe's protocol version 2 and serves an export of this package."
            ) from error

    def close(self) -> None:
        self._connection.close()


def _class_ids(response: Any) -> np.ndarray:
    length = int(response.headers.get(_JSON_LENGTH, len(response.content)))
    (output,) = json.loads(response.content[:length])["outputs"]
    if output["name"] != CLASS_IDS or output["datatype"] != "UINT8":
        raise ValueError(f"unexpected output {output['name']} of {output['datatype']}")
    # Servers without the binary extension send numbers in the JSON.
    values = (
        np.asarray(output["data"], np.int64)
        if "data" in output
        else np.frombuffer(response.content, np.uint8, offset=length)
    )
    return values.reshape(output["shape"])
