"""Runs all stages end to end: latency, pretrain, search, teacher, student, export, benchmark.

    python -m tools.run_all --flagfile=flags/presets/camvid_quick.flags \\
        --data_dir=CAMVID --workdir=RUN
"""

from tools import command  # isort: skip

from typing import TYPE_CHECKING

from absl import flags

from flags import settings_flags
from keras_fasterseg.settings import stages

if TYPE_CHECKING:
    from keras_fasterseg.jobs.checks import DataFacts
    from keras_fasterseg.reports.estimate_table import StageTimes
    from keras_fasterseg.run.run import Run

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
SEED = settings_flags.define_seed()
DEVICES = settings_flags.define_devices(workers=False)
COMPARE = flags.DEFINE_bool(
    "compare",
    False,
    "Also train the student without its teacher, and the published student, and measure all "
    "networks side by side. Not included in the estimate.",
)
ESTIMATE = settings_flags.define_estimate()
FORCE = flags.DEFINE_bool(
    "force", False, "Run even if the estimate says that memory or disk will not suffice."
)
ESTIMATE_SECONDS = flags.DEFINE_float(
    "estimate_seconds",
    600.0,
    "Time limit in seconds for the few steps of each stage, with --estimate=measured.",
    lower_bound=1.0,
)
for _name, (_settings, _prefix) in settings_flags.RUN_STAGES.items():
    _group = "data set" if _name == "data" else f"stage {_name}"
    settings_flags.define_settings(_settings, _prefix, group=_group)
settings_flags.define_space()
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    settings_flags.use_devices(DEVICES.value)
    from keras_fasterseg.jobs import run_all
    from keras_fasterseg.run.run import Run

    groups = {
        name: settings_flags.read_settings(*stage)
        for name, stage in settings_flags.RUN_STAGES.items()
    }
    options = stages.RunSettings(**groups, space=settings_flags.read_space(), seed=SEED.value)
    # Before data are generated or any of their files is opened.
    run = Run(WORKDIR.value, options.data, options.seed)
    facts = run_all.check_stages(run, options)
    with run.workdir.locked():
        if ESTIMATE.value == stages.MEASURED_ESTIMATE:
            # Opens the data: a faulty file is found before minutes of measuring.
            _ = run.source
        times = _estimate(run, options, facts) if ESTIMATE.value != stages.NO_ESTIMATE else None
        _run(run, options)
    if times is not None and times.table():
        print(f"\n{times.table()}")


def _estimate(run: "Run", options: stages.RunSettings, facts: "DataFacts") -> "StageTimes":
    from keras_fasterseg.jobs import estimate
    from keras_fasterseg.reports import estimate_table

    seconds = ESTIMATE_SECONDS.value
    found = estimate.estimate_run(run.path, options, facts, ESTIMATE.value, seconds)
    print(found.table(), flush=True)
    estimate.check_fits(found, FORCE.value)
    times = estimate_table.StageTimes(run.path / estimate.ESTIMATE)
    run.workdir.listeners.append(times.ended)
    return times


def _run(run: "Run", options: stages.RunSettings) -> None:
    from keras_fasterseg.jobs import compare, run_all

    summary = run_all.run_all(run, options, command.line())
    print(run_all.summary_tables(summary))
    print(f"\nAll results are in {WORKDIR.value}, the numbers in {WORKDIR.value}/{run_all.SUMMARY}")
    if COMPARE.value:
        compare.compare(run, options, summary, command.line())
        print(f"The comparison with other networks is in {WORKDIR.value}/{compare.COMPARISON}")


if __name__ == "__main__":
    command.run(main)
