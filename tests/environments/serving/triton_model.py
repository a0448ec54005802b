"""For Triton's Python backend: model.onnx beside this file, run by ONNX Runtime."""

import json
import os

import onnxruntime
import triton_python_backend_utils as backend


class TritonPythonModel:
    """In place of the ONNX Runtime backend, which nvidia-pytriton does not bring along."""

    def initialize(self, args):
        folder = os.path.join(args["model_repository"], args["model_version"])
        self._session = onnxruntime.InferenceSession(
            os.path.join(folder, "model.onnx"), providers=["CPUExecutionProvider"]
        )
        config = json.loads(args["model_config"])
        self._outputs = [output["name"] for output in config["output"]]

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        images = backend.get_input_tensor_by_name(request, "images").as_numpy()
        wanted = [name for name in self._outputs if name in request.requested_output_names()]
        values = self._session.run(wanted, {"images": images})
        return backend.InferenceResponse(
            [backend.Tensor(name, value) for name, value in zip(wanted, values, strict=True)]
        )
