"""Engine of the piece `networks` on PyTorch: eager calls, CUDA graphs and torch.compile."""

# pyright: reportMissingImports=false
# PyTorch is installed in a separate environment.
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from tools.benchmarks.gpu.cases import TRACING_ONLY, WITHOUT_GRAPHS, Case
from tools.benchmarks.gpu.plain_torch import PlainTorch
from tools.benchmarks.gpu.timing import Effort, measure_calls

DTYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


class KerasModule(nn.Module):
    """A Keras network from uint8 images to class ids or logits, like `PlainTorch`."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN))
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD))

    def logits(self, images):
        """Full-size logits `(batch, classes, height, width)`, float32."""
        return self.network((images.float() - self.mean) / self.std).permute(0, 3, 1, 2)

    def forward(self, images):
        return self.logits(images).argmax(1).to(torch.uint8)


class Engine:
    """PyTorch on its first CUDA device, or on the CPU.

    Args:
        compile_mode: Mode of torch.compile. If it fails, `max-autotune-no-cudagraphs` is tried.
    """

    def __init__(self, compile_mode: str) -> None:
        self.compile_mode = compile_mode
        self.on_card = torch.cuda.is_available()
        self.device = torch.device("cuda" if self.on_card else "cpu")
        cuda = f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        self.device_name = torch.cuda.get_device_name() + cuda if self.on_card else "CPU"
        self._peaks: dict[str, float] = {}
        torch.backends.cudnn.benchmark = True

    def is_broken(self, error: Exception) -> bool:
        """True if no later call can succeed in this process."""
        return "CUDA error" in str(error)

    @contextlib.contextmanager
    def precision(self, name: str) -> Iterator[None]:
        """Context in which float32 products use TensorFloat-32, except for "fp32"."""
        torch.backends.cuda.matmul.allow_tf32 = name != "fp32"
        torch.backends.cudnn.allow_tf32 = name != "fp32"
        with torch.no_grad():
            yield

    def matrix_peak(self, precision: str) -> float:
        """Multiply-accumulates per second of a large matrix product, measured once."""
        if precision not in self._peaks:
            size = 8192 if self.on_card else 512
            left, right = torch.randn(2, size, size, device=self.device, dtype=DTYPES[precision])
            timed = self.timer(lambda: torch.matmul(left, right))
            times = measure_calls(timed, Effort(20, 0.2, 1.0))
            self._peaks[precision] = size**3 / times["p50_ms"] * 1000
        return self._peaks[precision]

    def timer(self, function: Callable[[], object]) -> Callable[[int], list[float]]:
        """Function that times calls: with CUDA events, or on the CPU with its clock."""

        def on_card(count: int) -> list[float]:
            events = [
                [torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)
            ]
            for start, end in events:
                start.record()
                function()
                end.record()
            torch.cuda.synchronize()
            return [start.elapsed_time(end) / 1000 for start, end in events]

        def on_cpu(count: int) -> list[float]:
            times = [time.perf_counter()]
            for _ in range(count):
                function()
                times.append(time.perf_counter())
            return np.diff(times).tolist()

        return on_card if self.on_card else on_cpu

    def prepare(self, case: Case, network: Any, images: np.ndarray) -> "Call":
        return Call(self, case, network, images)

    def synchronize(self) -> None:
        if self.on_card:
            torch.cuda.synchronize()


class Call:
    """A network that is ready to run on images in the device's memory."""

    def __init__(self, engine: Engine, case: Case, network: Any, images: np.ndarray) -> None:
        self._engine = engine
        if engine.on_card:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        if case.model == "keras":
            self._module = KerasModule(network)
        else:
            self._module = PlainTorch(network, DTYPES[case.precision], **case.options())
        self._module.eval().to(engine.device)
        self._images = torch.from_numpy(images).to(engine.device)
        self._facts: dict[str, Any] = {}
        # Caches of constants are filled, and cuDNN selects its kernels.
        self._module(self._images)
        engine.synchronize()
        start = time.perf_counter()
        self._run = self._runner(case)
        engine.synchronize()
        self._facts["compile_seconds"] = time.perf_counter() - start
        self.timed = engine.timer(self._run)

    def _runner(self, case: Case) -> Callable[[], Any]:
        function: Callable[[Any], Any] = self._module
        if "compile" in case.runner:
            graphs = case.runner == "compile+graph"
            function = self._compiled(case, WITHOUT_GRAPHS if graphs else None)
        if "graph" not in case.runner:
            return lambda: function(self._images)
        if not self._engine.on_card:
            raise ValueError("A CUDA graph needs a CUDA device.")
        return self._captured(function)

    def _compiled(self, case: Case, mode: str | None) -> Callable[[Any], Any]:
        module = self._module
        if case.model == "keras":
            # torch.compile alone breaks a Keras model into hundreds of graphs.
            exported = torch.export.export(module, (self._images,), strict=False)
            module = exported.module()
        modes = [mode or self._engine.compile_mode]
        if modes[0] == "max-autotune":
            modes.append(WITHOUT_GRAPHS)
        for number, each in enumerate(modes):
            torch.compiler.reset()
            tracing = each == TRACING_ONLY
            options = {"backend": TRACING_ONLY} if tracing else {"mode": each}
            compiled = torch.compile(module, dynamic=False, **options)
            try:
                compiled(self._images)
            except Exception as error:
                if number + 1 == len(modes) or self._engine.is_broken(error):
                    raise
                self._facts["failed_compile"] = f"{each}: {' '.join(str(error).split())[:200]}"
                continue
            self._facts["compile_mode"] = each
            return compiled
        raise AssertionError

    def _captured(self, function: Callable[[Any], Any]) -> Callable[[], Any]:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                function(self._images)
        torch.cuda.current_stream().wait_stream(stream)
        graph, static = torch.cuda.CUDAGraph(), self._images.clone()
        with torch.cuda.graph(graph):
            outputs = function(static)

        def replay() -> Any:
            static.copy_(self._images)
            graph.replay()
            return outputs

        return replay

    def back_to_back(self, count: int) -> float:
        """Mean seconds of calls whose results nobody waits for, except for the last."""
        self._engine.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            self._run()
        self._engine.synchronize()
        return (time.perf_counter() - start) / count

    def class_ids(self) -> np.ndarray:
        return self._run().cpu().numpy()

    def logits(self, stride: int) -> np.ndarray:
        """Logits of the eager network, `(batch, height, width, classes)`, of every n-th pixel."""
        logits = self._module.logits(self._images)[:, :, ::stride, ::stride]
        return logits.permute(0, 2, 3, 1).float().cpu().numpy()

    def facts(self) -> dict[str, Any]:
        """Seconds of compiling or capturing, and peak memory (allocated by PyTorch)."""
        peak = torch.cuda.max_memory_allocated() if self._engine.on_card else None
        return {**self._facts, "peak_memory_bytes": peak}
