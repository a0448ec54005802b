"""Measures networks, searches and trainings on a GPU, piece by piece, without TensorFlow.

    python -m tools.benchmarks.gpu --output=gpu --piece=all --minutes=9
    python -m tools.benchmarks.gpu --output=gpu --table

Every finished measurement is written at once. The same command continues with those that are
missing, and says at the end what is left.
"""

from tools import command  # isort: skip

import importlib
import pathlib
import sys
import time

from absl import flags

from tools.benchmarks.gpu.cases import NETWORKS

PIECES = ("networks", "supernet", "latency", "onnxruntime", "camvid")

OUTPUT = flags.DEFINE_string("output", None, "Folder of the results.", required=True)
PIECE = flags.DEFINE_enum("piece", "all", ["all", *PIECES], "What to measure.")
MINUTES = flags.DEFINE_float("minutes", 9.0, "When to stop, in minutes.", lower_bound=0.0)
REHEARSAL = flags.DEFINE_bool(
    "rehearsal", False, "Make everything tiny: a test of the harness, also without a GPU."
)
RETRY = flags.DEFINE_bool("retry", False, "Repeat measurements that failed in an earlier run.")
TABLE = flags.DEFINE_bool("table", False, "Only print the Markdown tables of all results.")
NETWORK_NAMES = flags.DEFINE_list(
    "networks", list(NETWORKS), "Networks of the piece `networks`: presets or genotype files."
)
MATCHING = flags.DEFINE_string(
    "matching", "", "Regular expression: only these measurements of the piece `networks`."
)
COMPILE_MODE = flags.DEFINE_string(
    "compile_mode", None, "Mode of torch.compile. Default: max-autotune."
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of CamVid, for the piece `camvid`.")
SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds of the piece `camvid`.", lower_bound=1)


def main() -> None:
    from tools.benchmarks.gpu.options import Options
    from tools.benchmarks.gpu.table import write_tables

    output = pathlib.Path(OUTPUT.value)
    if TABLE.value:
        if not any(output.glob("*.json")):
            raise FileNotFoundError(f"{output} has no results; run a piece first.")
        print(write_tables(output))
        return
    options = Options(
        output=output,
        deadline=time.monotonic() + 60 * MINUTES.value,
        command=command.line().replace(".__main__", "", 1),
        rehearsal=REHEARSAL.value,
        networks=tuple(NETWORK_NAMES.value),
        retry=RETRY.value,
        compile_mode=COMPILE_MODE.value,
        pattern=MATCHING.value,
        data_dir=DATA_DIR.value,
        seeds=SEEDS.value,
    )
    pieces = PIECES if PIECE.value == "all" else (PIECE.value,)
    for piece in pieces:
        missing = importlib.import_module(f"tools.benchmarks.gpu.{piece}").run(options)
        left = f"{len(missing)} left, next: {missing[0]}" if missing else "complete"
        print(f"{piece}: {left}", flush=True)
    write_tables(output)
    sys.stdout.flush()


if __name__ == "__main__":
    command.run(main)
