"""Measures what every operation of the search space costs on this device, into WORKDIR/latency."""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.pipelines import run, settings

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Classes that the heads tell apart.")
settings_flags.define_settings(settings.SupernetSettings)
settings_flags.define_settings(settings.LatencySettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    table = run.Run(WORKDIR.value).measure_latency(
        settings_flags.read_settings(settings.SupernetSettings),
        settings_flags.read_settings(settings.LatencySettings),
        NUM_CLASSES.value,
    )
    print(f"The latency table is {table}")


if __name__ == "__main__":
    command.run(main)
