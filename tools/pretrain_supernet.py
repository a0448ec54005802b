"""Trains the supernet's weights before the search, into WORKDIR/pretrain."""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.settings import stages

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
SEED = settings_flags.define_seed()
DEVICES = settings_flags.define_devices()
settings_flags.define_settings(stages.DataSettings)
settings_flags.define_space()
settings_flags.define_settings(stages.PretrainSettings, "pretrain_")
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    settings_flags.use_devices(DEVICES.value)
    from keras_fasterseg import workers
    from keras_fasterseg.jobs.pretrain import pretrain_stage
    from keras_fasterseg.run.run import Run

    data = settings_flags.read_settings(stages.DataSettings)
    weights = pretrain_stage(
        Run(WORKDIR.value, data, SEED.value),
        settings_flags.read_space(),
        settings_flags.read_settings(stages.PretrainSettings, "pretrain_"),
    )
    if workers.is_chief():
        print(f"The supernet's weights are in {weights}")


if __name__ == "__main__":
    command.run(main, left_out=settings_flags.run_flags())
