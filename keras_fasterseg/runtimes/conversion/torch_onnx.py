"""Converts a serving graph to an ONNX model with PyTorch's exporter, on Keras's backend torch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_fasterseg.runtimes.conversion.onnx import quiet_logger
from keras_fasterseg.runtimes.optional_import import optional_import
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.serving_graph import ServingGraph

if TYPE_CHECKING:
    import onnx

# The oldest that PyTorch's exporter writes.
OPSET = 18

_PURPOSE = "Converting to ONNX with PyTorch"
_EXTRA = "torch"


def torch_onnx_model(
    graph: ServingGraph, names: Sequence[str], shape: tuple[int | None, ...]
) -> "onnx.ModelProto":
    """The serving graph as a simplified ONNX model with its weights inside.

    Args:
        graph: The network with its pre- and postprocessing.
        names: Names of the outputs, see `ServingGraph.outputs`.
        shape: Shape of the images; a batch of None is free. Height and width are fixed, because
            layers compute sizes as numbers.

    Returns:
        A model that passed ONNX's own checker.

    Raises:
        RuntimeNotInstalledError: onnx, onnxscript or onnxslim is not installed.
    """
    onnx = optional_import("onnx", _EXTRA, _PURPOSE)
    optional_import("onnxscript", _EXTRA, _PURPOSE)
    onnxslim = optional_import("onnxslim", _EXTRA, _PURPOSE)
    import torch  # pyright: ignore[reportMissingImports]

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = graph.model

        def forward(self, images: Any) -> tuple[Any, ...]:
            return tuple(graph.outputs(images, names).values())

    batch, *sizes = shape
    # An example of one image would fix the batch size.
    images = torch.zeros((batch or 2, *sizes), dtype=torch.uint8, device=_device(graph))
    free = {0: torch.export.Dim.DYNAMIC}
    # It warns of packages that nothing here needs.
    with torch.no_grad(), quiet_logger("torch.onnx"):
        exported = torch.export.export(
            Module().eval(),
            (images,),
            dynamic_shapes=(free,) if batch is None else None,
            strict=False,
        )
        program = torch.onnx.export(
            exported,
            input_names=[INPUT_NAME],
            output_names=list(names),
            opset_version=OPSET,
            verbose=False,
        )
    model = onnxslim.slim(program.model_proto)
    onnx.checker.check_model(model)
    return model


def _device(graph: ServingGraph) -> Any:
    return graph.model.variables[0].value.device
