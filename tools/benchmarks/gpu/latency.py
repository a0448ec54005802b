"""Piece `latency`: latency tables of the search space on Keras's backends, and their agreement
with measured networks."""

from typing import Any

from keras_fasterseg.files import read_json
from keras_fasterseg.run.names import VERIFICATION
from tools.benchmarks.gpu.options import Options, installed_backends
from tools.benchmarks.gpu.tool_runs import run_tool

METHOD = (
    "tools.measure_latency times every operation of the space fasterseg as a Keras layer on this "
    "device, fits a calibration to random networks, and compares its predictions with other "
    "random networks, measured end to end."
)
FULL = ("--latency_size=1024x2048", "--calibrate=20", "--verify=20", "--time_budget=6")
REHEARSAL = (
    *("--latency_size=64x128", "--calibrate=2", "--verify=3", "--time_budget=0.05"),
    *("--num_layers=5", "--base_filters=2", "--width_multipliers=8/12,1"),
    *("--latency_repetitions=1", "--latency_warmup=1"),
)


def run(options: Options) -> list[str]:
    """Measures a table on every installed backend; returns the names of those still missing."""
    arguments = REHEARSAL if options.rehearsal else FULL
    results = options.results("latency", {"text": METHOD, "flags": arguments})
    backends = list(installed_backends())
    for backend in backends:
        workdir = options.output / "latency" / backend

        def read(folder=workdir / "latency") -> dict[str, Any]:
            result = read_json(folder / VERIFICATION)
            wanted = ("metadata", "sum", "calibration", "calibrated")
            return {
                **{name: result[name] for name in wanted if name in result},
                "networks": [
                    {name: each[name] for name in ("sum_ms", "predicted_ms", "measured_ms")}
                    for each in result["networks"]
                ],
            }

        tool = ["tools.measure_latency", f"--workdir={workdir}", "--runtime=keras", *arguments]
        run_tool(options, results, backend, backend, tool, read)
    return results.missing(backends)
