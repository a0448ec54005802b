"""Trains the network of a genotype, as teacher or student, into WORKDIR/ROLE.

    python -m tools.train --genotype=RUN/search/student.json --role=student \\
        --workdir=RUN --dataset=camvid --data_dir=CAMVID
"""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.run.names import EVALUATION
from keras_fasterseg.settings import stages

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
GENOTYPE = flags.DEFINE_string(
    "genotype", None, "The network: a preset's name or a genotype's JSON file.", required=True
)
FPS = flags.DEFINE_float(
    "fps",
    None,
    "With the front.json of a search as --genotype: train its best network that is predicted to "
    "reach this frame rate.",
    lower_bound=0.0,
)
ROLE = flags.DEFINE_enum(
    "role",
    "student",
    ["teacher", "student"],
    "Role of the network in this run, which is also its folder's name. It selects the settings: "
    "--teacher_... or --student_...",
)
TEACHER = flags.DEFINE_string(
    "teacher",
    None,
    "network.keras of a trained teacher to distil from. Default: train on labels only.",
)
SEED = settings_flags.define_seed()
DEVICES = settings_flags.define_devices()
settings_flags.define_settings(stages.DataSettings)
for _role in ("teacher", "student"):
    # The same names as in a complete run, so that its presets also work here.
    settings_flags.define_settings(stages.TrainSettings, f"{_role}_", group=f"role {_role}")
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    settings_flags.use_devices(DEVICES.value)
    from keras_fasterseg import workers
    from keras_fasterseg.files import read_json
    from keras_fasterseg.jobs.train import training_stage
    from keras_fasterseg.run.run import Run
    from keras_fasterseg.search.candidates import network_of_front
    from keras_fasterseg.spaces.registry import resolve_genotype

    if FPS.value is None:
        genotype = resolve_genotype(GENOTYPE.value)
    else:
        genotype = network_of_front(GENOTYPE.value, FPS.value)
    data = settings_flags.read_settings(stages.DataSettings)
    network = training_stage(
        Run(WORKDIR.value, data, SEED.value),
        genotype,
        settings_flags.read_settings(stages.TrainSettings, f"{ROLE.value}_"),
        role=ROLE.value,
        teacher=TEACHER.value,
    )
    if workers.is_chief():
        miou = read_json(network.parent / EVALUATION)["miou"]
        print(f"mIoU {100 * (miou or 0):.2f} %: {network}")


if __name__ == "__main__":
    command.run(main, left_out=settings_flags.run_flags())
