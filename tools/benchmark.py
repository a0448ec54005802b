"""Measures the frame rate of networks on this device, on one or several runtimes.

python -m tools.benchmark --artefact=RUN/export/student/1 --input_size=352x480
"""

from tools import command  # isort: skip

import dataclasses
from typing import TYPE_CHECKING, Any

from absl import flags

from flags import settings_flags
from keras_fasterseg.settings import benchmark_options, stages

if TYPE_CHECKING:
    from keras_fasterseg.jobs import benchmark

ARTEFACT = flags.DEFINE_string(
    "artefact",
    None,
    "An export's folder or file (SavedModel, .onnx, .xml, .tflite), a network.keras, or a "
    "genotype (a preset's name or a JSON file), which gets random weights.",
)
RUNTIME = flags.DEFINE_list(
    "runtime",
    [],
    "Runtime to measure: keras, saved_model, xla, onnxruntime, openvino, litert, tftrt, tensorrt "
    "or tensorrt_rtx; several, comma separated, are timed alternately. Default: the runtime of "
    "the artefact's format.",
)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the measurement to.")
SIDE_BY_SIDE = flags.DEFINE_list(
    "side_by_side",
    [],
    "Other artefacts, comma separated, to be timed alternately with the first.",
)
SIDE_BY_SIDE_RUNTIME = flags.DEFINE_string(
    "side_by_side_runtime", None, "Runtime of the other artefacts. Default: the same --runtime."
)
COMPARE = flags.DEFINE_list(
    "compare", None, "Compare two files written by --output, A.json,B.json, and measure nothing."
)


class _SizesParser(settings_flags.SizeParser):
    """Parses `512x1024,1024x2048` to a tuple of sizes."""

    def parse(self, argument: Any) -> Any:
        if isinstance(argument, tuple):
            return argument
        return tuple(super(_SizesParser, self).parse(each) for each in str(argument).split(","))


class _SizesSerializer(flags.ArgumentSerializer):
    def serialize(self, value: tuple[stages.Size, ...]) -> str:
        return ",".join(f"{height}x{width}" for height, width in value)


settings_flags.define_settings(stages.BenchmarkSettings)
settings_flags.define_settings(benchmark_options.BenchmarkOptions)
# Replaces the single size of a run's benchmark.
INPUT_SIZE = flags.DEFINE(
    _SizesParser(),
    "input_size",
    None,
    "Height x width of the images; several, comma separated, are measured one after another. "
    "Default: the size of the export, or "
    f"{_SizesSerializer().serialize((stages.BenchmarkSettings.input_size,))} if it accepts "
    "any size.",
    serializer=_SizesSerializer(),
    allow_override=True,
)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.benchmark import comparison, report
    from keras_fasterseg.jobs import benchmark

    if COMPARE.value:
        if len(COMPARE.value) != 2:
            raise ValueError(
                "--compare needs exactly two files, A.json,B.json. Received: "
                f"{','.join(COMPARE.value)}"
            )
        print(comparison.comparison_text(comparison.compare_files(*COMPARE.value)))
        return
    contenders = _contenders()
    options = settings_flags.read_settings(benchmark_options.BenchmarkOptions)
    chosen, sizes = _shape(contenders, options.threads)
    measured = benchmark.benchmark_in_turns(
        contenders,
        chosen,
        sizes,
        options,
        command.line(),
        progress=True,
    )
    # The measurement took minutes: it is printed before saving, which can fail.
    print(report.report_text(measured))
    if OUTPUT.value is not None:
        measured.save(OUTPUT.value)


def _shape(
    contenders: "list[benchmark.Contender]", threads: int | None
) -> tuple[stages.BenchmarkSettings, tuple[stages.Size, ...]]:
    """Settings and sizes from the flags; where they are not set, those the exports need."""
    from keras_fasterseg.jobs import benchmark

    chosen = settings_flags.read_settings(stages.BenchmarkSettings)
    default_batch = flags.FLAGS["batch_size"].using_default_value
    if INPUT_SIZE.value is not None and not default_batch:
        return chosen, INPUT_SIZE.value
    batch_size, size = benchmark.fixed_shape(contenders, threads)
    if default_batch and batch_size is not None:
        chosen = dataclasses.replace(chosen, batch_size=batch_size)
    return chosen, INPUT_SIZE.value or (size or stages.BenchmarkSettings.input_size,)


def _contenders() -> "list[benchmark.Contender]":
    from keras_fasterseg.jobs import benchmark

    if ARTEFACT.value is None:
        raise ValueError("Nothing to measure; give --artefact, or two results with --compare.")
    runtimes = RUNTIME.value or [None]
    first = [benchmark.Contender(ARTEFACT.value, runtime) for runtime in runtimes]
    if not SIDE_BY_SIDE.value:
        if SIDE_BY_SIDE_RUNTIME.value is not None:
            raise ValueError(
                "--side_by_side_runtime is for the artefacts of --side_by_side, which is not set."
            )
        return first
    if len(first) > 1:
        raise ValueError(
            "With --side_by_side, only one --runtime is allowed. "
            f"Received: --runtime={','.join(RUNTIME.value)}"
        )
    runtime = SIDE_BY_SIDE_RUNTIME.value or first[0].runtime
    return [*first, *(benchmark.Contender(other, runtime) for other in SIDE_BY_SIDE.value)]


if __name__ == "__main__":
    command.run(main)
