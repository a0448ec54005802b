"""Trains a network of video object segmentation into WORKDIR/video.

    python -m tools.train_video --initial_weights=RUN/student/network.keras --workdir=RUN \\
        --data_dir=DAVIS
"""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.run.names import EVALUATION
from keras_fasterseg.settings import video

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
GENOTYPE = flags.DEFINE_string(
    "genotype",
    None,
    "The encoder: a preset's name or a genotype's JSON file. Default: that of --initial_weights.",
)
SEED = settings_flags.define_seed()
settings_flags.define_settings(video.VideoDataSettings)
settings_flags.define_settings(video.VideoTrainSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.files import read_json
    from keras_fasterseg.jobs.train_video import train_video
    from keras_fasterseg.spaces.registry import resolve_genotype

    network = train_video(
        WORKDIR.value,
        settings_flags.read_settings(video.VideoDataSettings),
        settings_flags.read_settings(video.VideoTrainSettings),
        None if GENOTYPE.value is None else resolve_genotype(GENOTYPE.value),
        SEED.value,
    )
    score = read_json(network.parent / EVALUATION)["j_and_f"]
    print(f"J&F {100 * score:.2f} %: {network}")


if __name__ == "__main__":
    command.run(main)
