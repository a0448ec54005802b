"""Searches for the architectures of teacher and student, into WORKDIR/search.

python -m tools.search --workdir=RUN --dataset=camvid --data_dir=CAMVID
"""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.settings import stages

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
PRETRAINED = flags.DEFINE_string(
    "pretrained", None, "Supernet weights to start from. Default: those in WORKDIR/pretrain."
)
LATENCY_TABLE = flags.DEFINE_string(
    "latency_table",
    None,
    "Latency table of the target device. Default: the table in WORKDIR/latency.",
)
SEED = settings_flags.define_seed()
DEVICES = settings_flags.define_devices()
settings_flags.define_settings(stages.DataSettings)
settings_flags.define_space()
settings_flags.define_settings(stages.SearchSettings, "search_")
flags.adopt_module_key_flags(settings_flags)
# Short names, which are unambiguous in this tool.
flags.DEFINE_alias("min_fps", "search_min_fps")
flags.DEFINE_alias("max_fps", "search_max_fps")


def main() -> None:
    settings_flags.use_devices(DEVICES.value)
    from keras_fasterseg.jobs.search import search_stage
    from keras_fasterseg.run.run import Run

    data = settings_flags.read_settings(stages.DataSettings)
    genotypes = search_stage(
        Run(WORKDIR.value, data, SEED.value),
        settings_flags.read_space(),
        settings_flags.read_settings(stages.SearchSettings, "search_"),
        pretrained=PRETRAINED.value,
        latency_table=LATENCY_TABLE.value,
    )
    for role, genotype in genotypes.items():
        print(f"{role} {genotype.id}: {WORKDIR.value}/search/{role}.json")


if __name__ == "__main__":
    command.run(main, left_out=settings_flags.run_flags())
