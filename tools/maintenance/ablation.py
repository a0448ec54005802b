"""Trains with one recipe and several changes of it, one at a time, and compares the results.

    python -m tools.maintenance.ablation --workdir=runs/recipe \\
        --base=flags/presets/camvid_recipe.flags --changes=tools/maintenance/camvid_recipe.txt

Each line of `--changes` is a name and the flags of `tools.train` that it changes, such as another
`--genotype` or a `--teacher`; `{seed}` in a flag is the seed, and `#` starts a comment. A training
that is finished is not repeated, and one that was interrupted is resumed.
"""

from tools import command  # isort: skip

import pathlib
import shlex
import subprocess
import sys

from absl import flags, logging

from flags import settings_flags
from keras_fasterseg.files import read_json, write_json
from tools.maintenance.comparison_table import ablation_table

WORKDIR = flags.DEFINE_string("workdir", None, "Folder with a run for each line.", required=True)
CHANGES = flags.DEFINE_string("changes", None, "File of names and flags.", required=True)
BASE = flags.DEFINE_string("base", None, "Flag file of all trainings.", required=True)
GENOTYPE = flags.DEFINE_string("genotype", "fasterseg_student", "The network to train.")
SEEDS = flags.DEFINE_list(
    "seeds",
    ["0"],
    "Seeds; every line without --seed flags of its own is trained with each of them.",
)
MEASURE = settings_flags.define_size(
    "measure",
    None,
    "Height x width. Measures the frame rates of all networks in turns, exported as SavedModels.",
)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    workdir, results = pathlib.Path(WORKDIR.value), []
    facts = {"genotype": GENOTYPE.value, "base": BASE.value, "runs": results}
    for name, changed in read_changes(pathlib.Path(CHANGES.value)).items():
        own = [flag.removeprefix("--seed=") for flag in changed if flag.startswith("--seed=")]
        for seed in own or SEEDS.value:
            folder = workdir / f"{name}_seed_{seed}"
            arguments = [
                f"--flagfile={BASE.value}",
                f"--workdir={folder}",
                f"--genotype={GENOTYPE.value}",
                f"--seed={seed}",
                *(each.replace("{seed}", seed) for each in changed if each[:7] != "--seed="),
            ]
            logging.info("%s, seed %s: %s", name, seed, shlex.join(changed))
            status = subprocess.run([sys.executable, "-m", "tools.train", *arguments]).returncode
            if status:
                raise RuntimeError(f"The training {name} with seed {seed} ended with {status}.")
            results.append(
                {
                    "name": name,
                    "seed": int(seed),
                    "flags": changed,
                    **_facts(folder),
                    "scores": read_json(folder / "student" / "evaluation.json"),
                }
            )
            write_json(workdir / "ablation.json", facts)
    if MEASURE.value is not None:
        facts["fps"] = _measured(workdir, results)
        write_json(workdir / "ablation.json", facts)
    print(ablation_table(facts))


def _facts(folder: pathlib.Path) -> dict:
    """The network of a finished run and the time of its training."""
    from keras_fasterseg.run.trained_networks import describe_network
    from keras_fasterseg.run.workdir import Workdir

    size = MEASURE.value or (512, 1024)
    network = describe_network(folder / "student" / "network.keras", size)
    return {
        "genotype": network["genotype"],
        "parameters": network["parameters_inference"],
        "macs": network["macs"],
        "input_size": network["input_size"],
        "minutes": Workdir(folder).minutes("student"),
    }


def _measured(workdir: pathlib.Path, results: list[dict]) -> dict:
    """Results of the benchmark by the id of the genotype."""
    from keras_fasterseg.benchmark.harness import interleaved
    from keras_fasterseg.benchmark.load import check_load
    from keras_fasterseg.run.artefacts import open_artefact

    runners = {}
    for each in results:
        if each["genotype"] not in runners:
            folder = workdir / f"{each['name']}_seed_{each['seed']}"
            network = folder / "student" / "network.keras"
            runners[each["genotype"]] = open_artefact(
                network, "saved_model", input_size=MEASURE.value, outputs="class_ids"
            )
    check_load(allow=True)
    return interleaved(runners, input_size=MEASURE.value).to_json()["results"]


def read_changes(path: pathlib.Path) -> dict[str, list[str]]:
    """Returns the changed flags by name.

    Raises:
        ValueError: A name occurs twice, or there is none.
    """
    changes: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        name, *changed = words
        if name in changes:
            raise ValueError(f"The name {name!r} occurs twice in {path}.")
        changes[name] = changed
    if not changes:
        raise ValueError(f"{path} names no change.")
    return changes


if __name__ == "__main__":
    command.run(main)
