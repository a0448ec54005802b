"""Measures the latency of every operation of a search space, into WORKDIR/latency.

python -m tools.measure_latency --workdir=RUN --input_size=352x480
"""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.run.names import VERIFICATION_PICTURE
from keras_fasterseg.setting import require
from keras_fasterseg.settings import stages

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.")
VERIFY = flags.DEFINE_integer(
    "verify",
    0,
    "Number of random networks, at least 3, that are then measured end to end and compared with "
    "the predictions of the table. 0: none.",
    lower_bound=0,
)
settings_flags.define_space()
settings_flags.define_settings(stages.LatencySettings)
flags.adopt_module_key_flags(settings_flags)
# Short names, which are unambiguous in this tool.
flags.DEFINE_alias("input_size", "latency_size")
flags.DEFINE_alias("runtime", "latency_runtime")
flags.DEFINE_alias("threads", "latency_threads")
flags.DEFINE_alias("time_budget", "latency_time_budget")
flags.DEFINE_alias("calibrate", "latency_calibration")


def main() -> None:
    from keras_fasterseg.jobs.measure_latency import latency_stage
    from keras_fasterseg.jobs.verify_latency import verify_latency
    from keras_fasterseg.latency.calibration import Calibration
    from keras_fasterseg.latency.interpolation import interpolation_summary
    from keras_fasterseg.latency.table import LatencyTable
    from keras_fasterseg.run.run import Run

    require(
        VERIFY.value not in (1, 2),
        "Verification needs at least three networks, or --verify=0. Received: "
        f"--verify={VERIFY.value}",
    )
    space = settings_flags.read_space()
    path = latency_stage(
        Run(WORKDIR.value),
        space,
        settings_flags.read_settings(stages.LatencySettings),
        NUM_CLASSES.value,
    )
    table = LatencyTable.load(path)
    print(f"The latency table is {path}: {len(table)} operations.")
    if (summary := interpolation_summary(table)) is not None:
        print(summary)
    if VERIFY.value:
        result = verify_latency(path.parent, table, space, NUM_CLASSES.value, VERIFY.value)
        print(f"{VERIFY.value} random networks, measured end to end, compared with the table:")
        print(f"- sum of the rows: {_judged(result['sum'])}")
        if "calibration" in result:
            calibration = Calibration(**result["calibration"])
            table.calibrated(calibration).save(path)
            print(
                f"- calibrated, {calibration.factor:.3f} x sum + {calibration.offset_ms:.3f} ms "
                f"(fitted to {calibration.networks} other networks in the same session, saved in "
                f"the table): {_judged(result['calibrated'])}"
            )
        print(f"Picture: {path.parent / VERIFICATION_PICTURE}")


def _judged(agreement: dict[str, float]) -> str:
    return (
        f"Spearman rank correlation {agreement['spearman']:.3f}, median error "
        f"{100 * agreement['median_relative_error']:.1f} %, "
        f"largest error {100 * agreement['worst_relative_error']:.1f} %"
    )


if __name__ == "__main__":
    command.run(main, left_out=settings_flags.run_flags())
