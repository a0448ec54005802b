"""For Triton's Python backend: model.onnx beside this file, run by ONNX Runtime."""

import json
import os

import numpy
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
        """All that Triton has put together in one run, as the ONNX Runtime backend does."""
        images = [backend.get_input_tensor_by_name(each, "images").as_numpy() for each in requests]
        values = self._session.run(self._outputs, {"images": numpy.concatenate(images)})
        ends = numpy.cumsum([len(each) for each in images])[:-1]
        parts = zip(*(numpy.split(value, ends) for value in values), strict=True)
        return [
            self._answer(request, dict(zip(self._outputs, part, strict=True)))
            for request, part in zip(requests, parts, strict=True)
        ]

    def _answer(self, request, values):
        wanted = [name for name in self._outputs if name in request.requested_output_names()]
        return backend.InferenceResponse([backend.Tensor(name, values[name]) for name in wanted])
