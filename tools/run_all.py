"""The whole road: pretrain, search, derive, train teacher and student, export, measure."""

from tools import command  # isort: skip

from typing import TYPE_CHECKING

from absl import flags

from flags import settings_flags
from keras_fasterseg.pipelines import settings

if TYPE_CHECKING:
    from keras_fasterseg.pipelines.run import Run

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
SEED = settings_flags.define_seed()
COMPARE = flags.DEFINE_bool(
    "compare",
    False,
    "Also train the student without its teacher and the published student, and measure all "
    "networks side by side.",
)
ESTIMATE = flags.DEFINE_bool(
    "estimate", True, "Measure a few steps of every stage first, and say what the run will take."
)
FORCE = flags.DEFINE_bool("force", False, "Run even if the estimate says that it cannot fit.")
ESTIMATE_SECONDS = flags.DEFINE_float(
    "estimate_seconds", 600.0, "Longest time for the few steps of one stage.", lower_bound=1.0
)
for _settings, _prefix in settings_flags.RUN_STAGES.values():
    settings_flags.define_settings(_settings, _prefix)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.pipelines import run_all

    stages = {
        name: settings_flags.read_settings(*stage)
        for name, stage in settings_flags.RUN_STAGES.items()
    }
    options = settings.RunSettings(**stages, seed=SEED.value)
    run = run_all.open_run(WORKDIR.value, options)
    with run.workdir.locked():
        _run(run, options)


def _run(run: "Run", options: settings.RunSettings) -> None:
    from keras_fasterseg.pipelines import compare, run_all
    from keras_fasterseg.pipelines.estimation import estimate, estimate_run

    if ESTIMATE.value:
        images = estimate_run.describe_images(run.source, options.data)
        seconds = ESTIMATE_SECONDS.value
        found = estimate_run.estimate_run(run.path, options, images, seconds)
        print(found.table(), flush=True)
        estimate.check_fits(found, FORCE.value)
    summary = run_all.run_all(run, options, command.line())
    print(run_all.summary_tables(summary))
    print(f"\nEverything is in {WORKDIR.value}, the numbers in {WORKDIR.value}/{run_all.SUMMARY}")
    if COMPARE.value:
        compare.compare(run, options, command.line())
        print(f"The networks beside others are in {WORKDIR.value}/{compare.COMPARISON}; ", end="")
        print(f"python -m tools.results --runs={WORKDIR.value} writes them into a document")


if __name__ == "__main__":
    command.run(main)
