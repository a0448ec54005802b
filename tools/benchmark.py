"""Measures the frame rate of a SavedModel or a trained network on this device."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from flags import settings_flags
from keras_fasterseg.pipelines import benchmark, settings

ARTEFACT = flags.DEFINE_string(
    "artefact", None, "A SavedModel's folder or a network.keras.", required=True
)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the measurement to.")
settings_flags.define_settings(settings.BenchmarkSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    options = settings_flags.read_settings(settings.BenchmarkSettings)
    result = benchmark.benchmark(pathlib.Path(ARTEFACT.value), options)
    if OUTPUT.value is not None:
        result.save(OUTPUT.value)
    times, (height, width) = result.times, result.input_size
    print(f"p50 {times.p50_ms:.3f} ms, p90 {times.p90_ms:.3f} ms, p99 {times.p99_ms:.3f} ms")
    print(f"FPS {result.fps:.1f} at the median")
    print(
        f"Measured: {result.scope}, uint8 images to class ids in host memory; batch "
        f"{result.batch_size} of {height}x{width}; {times.repetitions} calls after "
        f"{options.warmup} untimed ones; harness version {result.harness_version}"
    )
    for title, facts in (("Runner", result.runner), ("Environment", result.environment)):
        print(f"{title}: {', '.join(f'{name} {value}' for name, value in facts.items())}")


if __name__ == "__main__":
    command.run(main)
