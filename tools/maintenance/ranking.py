"""Compares scores of networks with the weights of a supernet with their scores after training.

    python -m tools.maintenance.ranking --flagfile=flags/presets/camvid_small.flags \\
        --workdir=runs/ranking --training=flags/presets/camvid_recipe.flags --networks=12

It pretrains the supernet, draws random networks of its space, scores them with and without
statistics of their own, and trains each from random weights with the flags in `--training`.
Kendall's tau says how well the order of the scores agrees with that after the training. Finished
parts are not repeated.
"""

from tools import command  # isort: skip

import pathlib
import subprocess
import sys

from absl import flags, logging

from flags import settings_flags
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.settings import stages
from tools.maintenance.comparison_table import kendall_tau, ranking_table

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
SEED = settings_flags.define_seed()
TRAINING = flags.DEFINE_string("training", None, "Flag file of the trainings.", required=True)
NETWORKS = flags.DEFINE_integer("networks", 12, "Number of networks.", lower_bound=3)
settings_flags.define_settings(stages.DataSettings)
settings_flags.define_space()
settings_flags.define_settings(stages.PretrainSettings, "pretrain_")
settings_flags.define_settings(stages.SearchSettings, "search_")
flags.adopt_module_key_flags(settings_flags)

SCORES = {"supernet_statistics": False, "own_statistics": True}
"""Ways to score, and whether statistics are estimated for every network."""


def main() -> None:
    import numpy as np

    space = settings_flags.read_space()
    workdir = pathlib.Path(WORKDIR.value)
    generator = np.random.default_rng(SEED.value)
    genotypes = [space.random_genotype(generator) for _ in range(NETWORKS.value)]
    for index, genotype in enumerate(genotypes):
        genotype.save(workdir / f"network_{index}.json")
    scores = _scores(workdir, space, genotypes)
    trained = []
    for index in range(len(genotypes)):
        trained.append(_trained(workdir, index))
        logging.info("Network %d: %s", index, trained[-1])
    facts = {
        "command": command.line(),
        "networks": [
            {
                "genotype": genotype.id,
                "trained_miou": miou,
                **{key: scores[key][index] for key in scores},
            }
            for index, (genotype, miou) in enumerate(zip(genotypes, trained, strict=True))
        ],
        "kendall_tau": {key: kendall_tau(values, trained) for key, values in scores.items()},
    }
    write_json(workdir / "ranking.json", facts)
    print(ranking_table(facts))


def _scores(workdir: pathlib.Path, space, genotypes) -> dict[str, list[float]]:
    from keras_fasterseg.jobs.pretrain import pretrain_stage
    from keras_fasterseg.run.run import Run
    from keras_fasterseg.run.scored_networks import make_ranker
    from keras_fasterseg.search.ranking import Ranker
    from keras_fasterseg.spaces.roles import STUDENT

    data = settings_flags.read_settings(stages.DataSettings)
    run = Run(workdir, data, SEED.value)
    weights = pretrain_stage(
        run, space, settings_flags.read_settings(stages.PretrainSettings, "pretrain_")
    )
    path = workdir / "scores.json"
    if path.is_file():
        return read_json(path)
    settings = settings_flags.read_settings(stages.SearchSettings, "search_")
    model = space.search_model(run.source.num_classes, SEED.value)
    model.supernet.load_weights(weights)
    own = make_ranker(model, run.source, data, settings, SEED.value)
    rankers = {
        key: own if estimates else Ranker(model, [], own.samples)
        for key, estimates in SCORES.items()
    }
    scores = {
        key: [ranker(STUDENT, genotype) for genotype in genotypes]
        for key, ranker in rankers.items()
    }
    write_json(path, scores)
    return scores


def _trained(workdir: pathlib.Path, index: int) -> float:
    folder = workdir / f"trained_{index}"
    arguments = [
        f"--flagfile={TRAINING.value}",
        f"--workdir={folder}",
        f"--genotype={workdir / f'network_{index}.json'}",
        f"--seed={SEED.value}",
    ]
    status = subprocess.run([sys.executable, "-m", "tools.train", *arguments]).returncode
    if status:
        raise RuntimeError(f"The training of network {index} ended with {status}.")
    return read_json(folder / "student" / "evaluation.json")["miou"]


if __name__ == "__main__":
    command.run(main, left_out=settings_flags.run_flags())
