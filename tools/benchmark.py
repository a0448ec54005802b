"""Measures the frame rate of a network on this device, on one runtime or on several in turns."""

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
    "genotype's name or JSON file, which gets fresh weights.",
)
RUNTIME = flags.DEFINE_list(
    "runtime",
    [],
    "What runs it: keras, saved_model, xla, onnxruntime, openvino, litert, tftrt, tensorrt or "
    "tensorrt_rtx; several, comma separated, take turns. Unset: the artefact's own.",
)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the measurement to.")
SIDE_BY_SIDE = flags.DEFINE_list(
    "side_by_side",
    [],
    "Another artefact, or several, comma separated, to be measured in turns with the first.",
)
SIDE_BY_SIDE_RUNTIME = flags.DEFINE_string(
    "side_by_side_runtime", None, "What runs the other artefacts; unset: the same --runtime."
)
COMPARE = flags.DEFINE_list(
    "compare", None, "Two files that --output has written, A.json,B.json; nothing is measured."
)


class _SizesParser(settings_flags.SizeParser):
    """`512x1024,1024x2048` to a tuple of sizes."""

    def parse(self, argument: Any) -> Any:
        if isinstance(argument, tuple):
            return argument
        return tuple(super(_SizesParser, self).parse(each) for each in str(argument).split(","))


class _SizesSerializer(flags.ArgumentSerializer):
    def serialize(self, value: tuple[stages.Size, ...]) -> str:
        return ",".join(f"{height}x{width}" for height, width in value)


settings_flags.define_settings(stages.BenchmarkSettings)
settings_flags.define_settings(benchmark_options.BenchmarkOptions)
# In place of the one size that a run measures at.
INPUT_SIZE = flags.DEFINE(
    _SizesParser(),
    "input_size",
    None,
    "Height x width of the images; several, comma separated, are measured one after the other. "
    "Unset: what the artefact was exported for, "
    f"{_SizesSerializer().serialize((stages.BenchmarkSettings.input_size,))} if it takes any.",
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
                f"--compare takes two files, A.json,B.json. Received: {','.join(COMPARE.value)}"
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
    # First what the minutes went into, then what can fail.
    print(report.report_text(measured))
    if OUTPUT.value is not None:
        measured.save(OUTPUT.value)


def _shape(
    contenders: "list[benchmark.Contender]", threads: int | None
) -> tuple[stages.BenchmarkSettings, tuple[stages.Size, ...]]:
    """Settings and sizes as the flags say; what they leave open is as the exports need it."""
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
        raise ValueError("Name what to measure with --artefact, or two results with --compare.")
    runtimes = RUNTIME.value or [None]
    first = [benchmark.Contender(ARTEFACT.value, runtime) for runtime in runtimes]
    if not SIDE_BY_SIDE.value:
        if SIDE_BY_SIDE_RUNTIME.value is not None:
            raise ValueError("--side_by_side_runtime needs --side_by_side, the other artefact.")
        return first
    if len(first) > 1:
        raise ValueError(
            "--side_by_side compares artefacts; give one --runtime. "
            f"Received: --runtime={','.join(RUNTIME.value)}"
        )
    runtime = SIDE_BY_SIDE_RUNTIME.value or first[0].runtime
    return [*first, *(benchmark.Contender(other, runtime) for other in SIDE_BY_SIDE.value)]


if __name__ == "__main__":
    command.run(main)
