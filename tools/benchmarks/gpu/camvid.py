"""Piece `camvid`: searches and trainings on CamVid, stage by stage, with several seeds on JAX.

This module also runs as a program that chooses a band, or a random network.
"""

import pathlib
import sys
from typing import Any

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.run.names import EVALUATION, NETWORK
from tools.benchmarks.gpu.options import PRESETS, Options
from tools.benchmarks.gpu.results import Results
from tools.benchmarks.gpu.tool_runs import run_tool

METHOD = (
    "Trained on train, mIoU in percent on val; the data have no test images, and nothing is "
    "trained on val. For every seed: the supernet is pretrained and searched into a band (the 60th "
    "to the 75th percentile of the predicted frame rates of random networks), then trained: the "
    "teacher; the student, distilled and alone; the published student; and a random network with "
    "the student's predicted latency, within 2 percent, distilled too."
)
BACKEND = "jax"
PRESET = f"--flagfile={PRESETS}/camvid_small.flags"
SPACE = ("--num_layers=8", "--base_filters=8", "--width_multipliers=4/12,8/12,1")
# Flags of each stage after those of the preset; epochs are the budget.
FULL = {
    "latency": ("--latency_size=352x480", "--calibrate=20", "--verify=20", "--time_budget=4"),
    "pretrain": ("--pretrain_epochs=20", "--pretrain_crop_size=256x320", "--pretrain_downsample=1"),
    "search": ("--search_epochs=30", "--search_crop_size=256x320", "--search_downsample=1"),
    "teacher": ("--teacher_epochs=100", "--teacher_crop_size=352x480", "--teacher_batch_size=12"),
    "student": ("--student_epochs=100", "--student_crop_size=352x480", "--student_batch_size=12"),
}
REHEARSAL_SPACE = ("--num_layers=5", "--base_filters=2", "--width_multipliers=8/12,1")
REHEARSAL = {
    "latency": (
        *("--latency_size=64x96", "--calibrate=0", "--verify=0", "--time_budget=0.05"),
        *("--latency_repetitions=1", "--latency_warmup=1"),
    ),
    **{
        stage: tuple(
            f"--{stage}_{flag}"
            for flag in ("epochs=1", "steps_per_epoch=1", "batch_size=1", "crop_size=64x96")
        )
        for stage in ("pretrain", "search", "teacher", "student")
    },
}
RANDOM_NETWORKS = 300
NETWORKS = ("teacher", "student", "student_alone", "published_student", "random_network")


def run(options: Options) -> list[str]:
    """Runs the stages of all seeds in order; returns the names of those still missing.

    Raises:
        ValueError: The folder of CamVid is not given.
    """
    if options.data_dir is None:
        raise ValueError("The piece camvid needs --data_dir, the folder of CamVid.")
    flags = REHEARSAL if options.rehearsal else FULL
    space = REHEARSAL_SPACE if options.rehearsal else SPACE
    results = options.results("camvid", {"text": METHOD, "flags": flags, "space": space})
    stages = _Stages(options, results, flags, space)
    names = ["latency", "band"]
    ready = stages.device()
    for seed in range(options.seeds):
        steps = ("pretrain", "search", *NETWORKS, "random_genotype")
        names += [f"seed{seed}/{step}" for step in steps]
        if ready:
            stages.seed(seed)
    return results.missing(names)


class _Stages:
    """The stages as tool runs; the first that is not finished ends its seed."""

    def __init__(
        self, options: Options, results: Results, flags: Any, space: tuple[str, ...]
    ) -> None:
        self.options, self.results, self.flags, self.space = options, results, flags, space
        self.folder = options.output / "camvid"
        self.table = self.folder / "latency" / "latency_table.json"
        self.band = self.folder / "band.json"

    def device(self) -> bool:
        """Measures the latency table and chooses the band."""
        tool = [
            *("tools.measure_latency", f"--workdir={self.folder}", "--runtime=keras"),
            *("--num_classes=11", *self.space, *self.flags["latency"]),
        ]
        return self.run("latency", tool, dict) and self.choose("band", self.band, self.space)

    def seed(self, seed: int) -> None:
        """Searches and trains with one seed."""
        name, workdir = f"seed{seed}", self.folder / f"seed{seed}"
        tool = self.tool("pretrain_supernet", workdir, seed, *self.space, *self.flags["pretrain"])
        if not self.run(f"{name}/pretrain", tool, dict):
            return
        low, high = read_json(self.band)["band"]
        tool = self.tool(
            "search",
            workdir,
            seed,
            *(*self.space, *self.flags["search"], f"--latency_table={self.table}"),
            *(f"--search_min_fps={low}", f"--search_max_fps={high}"),
        )
        if not self.run(f"{name}/search", tool, dict):
            return
        student, drawn = workdir / "search" / "student.json", workdir / "random.json"
        if not self.train(name, "teacher", seed, workdir / "search" / "teacher.json", "teacher"):
            return
        self.train(name, "student", seed, student, "student", taught=True)
        self.train(name, "student_alone", seed, student, "student")
        self.train(name, "published_student", seed, "fasterseg_student", "student")
        if self.choose(f"{name}/random_genotype", drawn, (str(student), str(seed), *self.space)):
            self.train(name, "random_network", seed, drawn, "student", taught=True)

    def train(
        self, name: str, network: str, seed: int, genotype: Any, role: str, taught: bool = False
    ) -> bool:
        """Trains a network into a workdir of its own, except for the searched pair."""
        searched = self.folder / name
        own = network in ("teacher", "student")
        workdir = searched if own else self.folder / f"{name}_{network}"
        arguments = [f"--genotype={genotype}", f"--role={role}", *self.flags[role]]
        if taught:
            arguments.append(f"--teacher={searched / 'teacher' / NETWORK}")
        tool = self.tool("train", workdir, seed, *arguments)

        def read() -> dict[str, Any]:
            miou = read_json(workdir / role / EVALUATION)["miou"]
            return {"network": network, "seed": seed, "miou": miou, "genotype": str(genotype)}

        return self.run(f"{name}/{network}", tool, read)

    def tool(self, tool: str, workdir: pathlib.Path, seed: int, *arguments: str) -> list[str]:
        data = f"--data_dir={self.options.data_dir}"
        common = (PRESET, data, f"--workdir={workdir}", f"--seed={seed}")
        return [f"tools.{tool}", *common, *arguments]

    def choose(self, name: str, target: pathlib.Path, arguments: tuple[str, ...]) -> bool:
        """Runs this module as a program, which writes `target`."""
        kind = name.rpartition("/")[2]
        call = [__name__, kind, str(self.table), str(target), *arguments]
        return self.run(name, call, lambda: {"chosen": read_json(target)})

    def run(self, name: str, call: list[str], read: Any) -> bool:
        return run_tool(self.options, self.results, name, BACKEND, call, read)


def main(arguments: list[str]) -> None:
    """Writes the band, or a random genotype with the latency of another.

    Args:
        arguments: "band", the table, the file to write and the flags of the space; or
            "random_genotype", the table, the file, the other genotype, a seed and the flags.
    """
    import numpy as np
    from absl import flags as absl_flags

    from flags import settings_flags
    from keras_fasterseg.latency.table import LatencyTable
    from keras_fasterseg.spaces.cost import predicted_latency_ms
    from keras_fasterseg.spaces.registry import resolve_genotype

    kind, table, target, *rest = arguments
    settings_flags.define_space()
    absl_flags.FLAGS(["", *(each for each in rest if each.startswith("--"))])
    space, rows = settings_flags.read_space(), LatencyTable.load(table)

    def predicted_ms(genotype: Any) -> float:
        return predicted_latency_ms(genotype, rows, 11)

    if kind == "band":
        generator = np.random.default_rng(0)
        drawn = [space.random_genotype(generator) for _ in range(RANDOM_NETWORKS)]
        fps = [1000 / predicted_ms(genotype) for genotype in drawn]
        write_json(target, {"band": np.percentile(fps, (60, 75)).round(2).tolist()})
        return
    other, seed = rest[:2]
    goal, generator = predicted_ms(resolve_genotype(other)), np.random.default_rng(int(seed))
    for _ in range(100 * RANDOM_NETWORKS):
        genotype = space.random_genotype(generator)
        if abs(predicted_ms(genotype) - goal) < 0.02 * goal:
            write_json(target, genotype.to_json())
            return
    raise ValueError(f"No random network has a predicted latency near {goal:.3f} ms.")


if __name__ == "__main__":
    main(sys.argv[1:])
