"""Sends requests to a model server from several clients at once, and reports the latencies."""

from tools import command  # isort: skip

from absl import flags

from flags import serving_flags, settings_flags
from keras_fasterseg.benchmark.images import benchmark_images
from keras_fasterseg.serving.load_generator import generate_load

CLIENTS = flags.DEFINE_integer(
    "clients", 8, "Number of clients that send requests at the same time.", lower_bound=1
)
SECONDS = flags.DEFINE_float("seconds", 60.0, "Duration in seconds.")
INPUT_SIZE = settings_flags.define_size("input_size", (512, 1024), "Height x width of the images.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 1, "Images per request.", lower_bound=1)
# Sending a request again would hide a failure.
serving_flags.define_client(attempts=1)
flags.adopt_module_key_flags(serving_flags)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    result = generate_load(
        serving_flags.read_client,
        benchmark_images(INPUT_SIZE.value, BATCH_SIZE.value),
        clients=CLIENTS.value,
        seconds=SECONDS.value,
    )
    print(result.text())
    if result.failures:
        raise ValueError(
            f"{len(result.failures)} requests failed. The first failure: {result.failures[0]}"
        )


if __name__ == "__main__":
    command.run(main)
