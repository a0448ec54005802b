"""Prints a network's stages, parameters, operations and predicted latency."""

from tools import command  # isort: skip

import json

from absl import flags

from flags import settings_flags

GENOTYPE = flags.DEFINE_string(
    "genotype", None, "The network: a preset's name or a genotype's JSON file.", required=True
)
INPUT_SIZE = settings_flags.define_size(
    "input_size", (1024, 2048), "Height x width of the images, multiples of 32."
)
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.")
LATENCY_TABLE = flags.DEFINE_string(
    "latency_table", None, "Latency table of a device, to predict the network's latency on it."
)
REFERENCE_QUIRKS = flags.DEFINE_bool(
    "reference_quirks",
    False,
    "Assign latencies of the table to operations as the released code does.",
)
JSON = flags.DEFINE_bool("json", False, "Print one JSON object and nothing else.")
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.reports import describe
    from keras_fasterseg.run import latency_tables
    from keras_fasterseg.spaces.registry import resolve_genotype

    path = LATENCY_TABLE.value
    table = None
    if path:
        quirks = REFERENCE_QUIRKS.value
        table = latency_tables.load_table(path, INPUT_SIZE.value, reference_quirks=quirks)
    description = describe.describe(
        resolve_genotype(GENOTYPE.value),
        INPUT_SIZE.value,
        NUM_CLASSES.value,
        table=table,
        name=GENOTYPE.value,
    )
    if JSON.value:
        print(json.dumps(description, indent=2, allow_nan=False))
    else:
        print(describe.description_tables(description))


if __name__ == "__main__":
    command.run(main)
