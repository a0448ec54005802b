"""Converts an ONNX model from float32 to int8."""

import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.export.options import METHODS
from keras_fasterseg.files import PathLike
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.runtimes.conversion.onnx import quiet_logger
from keras_fasterseg.runtimes.optional_import import optional_import
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME

_EXTRA, _PURPOSE = "onnx", "Quantising to int8"
# The operators of a zoomed convolution and of a fusion; the few others stay in float32.
_OPERATIONS = ("Conv", "Relu", "Resize", "Concat")
_EXCLUDED_COUNTS = (1, 2, 4, 8, 16)


@dataclasses.dataclass(frozen=True)
class Quantization:
    """Record of a quantisation; `dataclasses.asdict` turns it into a manifest entry.

    Attributes:
        method: One of `METHODS`.
        images: Number of images used to find the ranges.
        symmetric: Whether activations are int8 around zero, as TensorRT requires, or uint8.
        excluded: Convolutions that stay in float32, the most sensitive first. The classifier
            always stays in float32 and is not listed.
        equal_labels: Share of labels equal to float32 on the held-back images, by the number of
            excluded convolutions.
    """

    method: str
    images: int
    symmetric: bool
    excluded: tuple[str, ...]
    equal_labels: dict[int, float]


def quantize_onnx(
    source: PathLike,
    target: PathLike,
    images: Sequence[np.ndarray],
    *,
    method: str = "percentile",
    symmetric: bool = False,
    wanted: float = 0.98,
    progress: bool = True,
) -> Quantization:
    """Quantises `source` statically, with per-channel weights, and writes `target`.

    Three quarters of the images determine the activation ranges. On the rest, labels are compared
    with those of float32. If fewer than `wanted` are equal, each convolution is quantised alone to
    measure its effect. The most sensitive ones then stay in float32: 1, 2, 4, 8 or 16 of them, the
    first count that reaches `wanted`, or else the best one.

    The graph has `QuantizeLinear` and `DequantizeLinear` around its int8 operators. ONNX Runtime,
    OpenVINO and TensorRT can read it.

    Args:
        source: An exported ONNX file in float32 with the output `class_ids`.
        target: The file to write.
        images: At least 2 batches of real images, uint8 `(batch, height, width, 3)` in the graph's
            input shape.
        method: One of `METHODS`.
        symmetric: Whether activations are int8 around zero, as TensorRT requires; slower elsewhere.
        wanted: Share of equal labels, in [0, 1], at which no more convolutions are excluded.
        progress: Whether to show progress bars.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
        ValueError: Fewer than 2 batches, or an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}. Received: {method!r}")
    if len(images) < 2:
        raise ValueError(
            "Quantisation needs real images: at least one to calibrate and one to compare. "
            f"Received: {len(images)}; name a data set and use more calibration images."
        )
    held_back = max(1, len(images) // 4)
    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder, quiet_logger():
        model = _Quantizer(pathlib.Path(source), pathlib.Path(folder), method, symmetric)
        model.calibrate(images[held_back:], progress)
        expected = model.class_ids(source, images[:held_back])

        def agreement(path: PathLike) -> float:
            received = model.class_ids(path, images[:held_back])
            return float(
                np.mean([np.mean(a == b) for a, b in zip(received, expected, strict=True)])
            )

        model.write(target)
        equal = {0: agreement(target)}
        order: list[str] = []
        if equal[0] < wanted:
            order = _by_sensitivity(model, agreement, progress)
        for count in _EXCLUDED_COUNTS:
            if max(equal.values()) >= wanted or count > len(order):
                break
            model.write(target, exclude=order[:count])
            equal[count] = agreement(target)
        best = max(equal, key=lambda count: equal[count])
        if best != max(equal):
            # The last attempt is in the file.
            model.write(target, exclude=order[:best])
    calibrated = sum(map(len, images[held_back:]))
    return Quantization(method, calibrated, symmetric, tuple(order[:best]), equal)


class _Quantizer:
    """A float32 model and the ranges of its activations."""

    def __init__(self, source: pathlib.Path, folder: pathlib.Path, method: str, symmetric: bool):
        self._quantization = optional_import("onnxruntime.quantization", _EXTRA, _PURPOSE)
        self._source, self._folder, self._symmetric = source, folder, symmetric
        self._method = {
            "percentile": self._quantization.CalibrationMethod.Percentile,
            "entropy": self._quantization.CalibrationMethod.Entropy,
            "minmax": self._quantization.CalibrationMethod.MinMax,
        }[method]
        self._ranges = folder / "ranges.json"
        nodes = optional_import("onnx", _EXTRA, _PURPOSE).load(source).graph.node
        convolutions = [node.name for node in nodes if node.op_type == "Conv"]
        # Logits separate the classes; rounded to 256 values, they would often be equal.
        self.convolutions = convolutions[:-1]
        self._always_excluded = [convolutions[-1], _last_resize(nodes), *_scaled_concats(nodes)]

    def calibrate(self, images: Sequence[np.ndarray], progress: bool) -> None:
        """Finds the ranges, in a separate process.

        The calibrator creates its session with its own thread options, which ONNX Runtime refuses
        in a process whose runners share one thread pool.
        """
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
            arguments = self._source, self._ranges, self._method, self._symmetric
            pool.submit(_find_ranges, *arguments, images, progress).result()

    def write(
        self, target: PathLike, only: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> None:
        """Quantises all operators, or `only` some convolutions, except the ones in `exclude`."""
        kinds = self._quantization.QuantType
        self._quantization.quantize_static(
            str(self._source),
            str(target),
            quant_format=self._quantization.QuantFormat.QDQ,
            op_types_to_quantize=[*_OPERATIONS] if not only else ["Conv"],
            per_channel=True,
            activation_type=kinds.QInt8 if self._symmetric else kinds.QUInt8,
            weight_type=kinds.QInt8,
            nodes_to_quantize=[*only],
            nodes_to_exclude=[*self._always_excluded, *exclude],
            calibrate_method=self._method,
            calibration_cache_path=self._ranges,
            extra_options={"ActivationSymmetric": self._symmetric},
        )

    def class_ids(self, path: PathLike, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The class ids that the model at `path` computes."""
        from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner

        runner = OnnxRuntimeRunner(path)
        return [runner(image) for image in images]

    def alone(self, name: str) -> pathlib.Path:
        """A model in which only the convolution `name` is quantised."""
        path = self._folder / "alone.onnx"
        self.write(path, only=[name])
        return path


def _find_ranges(
    source: pathlib.Path,
    ranges: pathlib.Path,
    method: Any,
    symmetric: bool,
    images: Sequence[np.ndarray],
    progress: bool,
) -> None:
    """Finds the ranges image by image, so that only one image's activations are in memory."""
    import onnxruntime
    from onnxruntime.quantization import calibrate

    # The calibrator reports its progress on standard output.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        calibrator: Any = calibrate.create_calibrator(
            source,
            [*_OPERATIONS],
            augmented_model_path=str(ranges.with_suffix(".onnx")),
            calibrate_method=method,
            extra_options={"symmetric": symmetric},
        )
        # The calibrator has no option for threads and uses all cores of the machine.
        options = calibrator.infer_session.get_session_options()
        options.intra_op_num_threads = available_cores().physical_threads
        calibrator.infer_session = onnxruntime.InferenceSession(
            calibrator.augmented_model_path, options, providers=calibrator.execution_providers
        )
        for image in progress_bar(images, "calibrate", unit="image", show=progress):
            calibrator.collect_data(_OneImage(image))
        calibrate.save_tensors_data(calibrator.compute_data(), ranges)


class _OneImage:
    """Data reader for ONNX Runtime that returns one image, then None."""

    def __init__(self, image: np.ndarray):
        self._left: list[dict[str, Any]] = [{INPUT_NAME: image}]

    def get_next(self) -> dict[str, Any] | None:
        return self._left.pop() if self._left else None


def _by_sensitivity(
    model: _Quantizer, agreement: Callable[[PathLike], float], progress: bool
) -> list[str]:
    """The convolutions; first the one that changes the most labels if only it is quantised."""
    bar = progress_bar(model.convolutions, "sensitivity", unit="layer", show=progress)
    equal = {name: agreement(model.alone(name)) for name in bar}
    return sorted(equal, key=lambda name: equal[name])


def _scaled_concats(nodes: Any) -> list[str]:
    """Concatenations that a multiplication follows, as in batch normalisation.

    OpenVINO 2026.4 crashes when it compiles their int8 form.
    """
    scaled = {name for node in nodes if node.op_type == "Mul" for name in node.input}
    return [
        node.name
        for node in nodes
        if node.op_type == "Concat" and not scaled.isdisjoint(node.output)
    ]


def _last_resize(nodes: Any) -> str:
    return [node.name for node in nodes if node.op_type == "Resize"][-1]
