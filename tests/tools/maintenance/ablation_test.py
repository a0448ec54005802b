"""Changes of a recipe: their file and their table."""

import functools
import subprocess

import numpy as np
import pytest
from absl.testing import flagsaver

from keras_fasterseg.benchmark import harness
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.spaces.cost import network_work
from tests.conformance.spaces import tiny_space
from tests.flags.presets_test import parsed
from tests.shared import ROOT
from tests.tools.maintenance.markdown_rows import rows
from tools.maintenance import ablation
from tools.maintenance.ablation import read_changes
from tools.maintenance.comparison_table import (
    ablation_markdown,
    ablation_table,
    kendall_tau,
    ranking_markdown,
)

CHANGES = sorted((ROOT / "tools" / "maintenance").glob("*.txt"))


def test_changes_are_names_and_flags(tmp_path):
    path = tmp_path / "changes.txt"
    path.write_text("# comment\nbase\n\nscales --student_scales=1,2 --cache # why\n", "utf-8")
    assert read_changes(path) == {"base": [], "scales": ["--student_scales=1,2", "--cache"]}
    path.write_text("base\nbase --cache\n", "utf-8")
    with pytest.raises(ValueError, match="'base' occurs twice"):
        read_changes(path)
    path.write_text("# nothing\n", "utf-8")
    with pytest.raises(ValueError, match="names no change"):
        read_changes(path)


@pytest.mark.parametrize("path", CHANGES, ids=lambda path: path.stem)
def test_the_changes_for_camvid_are_flags_of_the_tool(path, tmp_path):
    changes = read_changes(path)
    assert [name for name, flags in changes.items() if not flags] in ([], ["base"], ["alone"])
    for flags in changes.values():
        parsed("tools.train", ["--genotype=a", "--workdir=b", *flags], tmp_path)


@pytest.mark.backends("tensorflow")
def test_trainings_are_compared_and_measured(tmp_path, monkeypatch):
    """Trainings are replaced by finished ones, whose network depends on the line."""
    space, started = tiny_space("fasterseg"), []

    def train(arguments):
        started.append(arguments[3:])
        values = dict(each.removeprefix("--").split("=") for each in arguments[3:])
        network = space.build(space.random_genotype(np.random.default_rng(int(values["net"]))), 3)
        scores = {"miou": float(values["seed"]) / 10, "per_class": {}}

        def finish(folder):
            network.save(folder / "network.keras")
            write_json(folder / "evaluation.json", scores)

        Workdir(values["workdir"]).stage("student", {}, finish)
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(ablation.subprocess, "run", train)
    briefly = functools.partial(harness.interleaved, min_repetitions=2, min_seconds=0.0)
    monkeypatch.setattr(harness, "interleaved", briefly)
    changes = tmp_path / "changes.txt"
    changes.write_text("own --net={seed}\nsame --net=1 --seed=2 --seed=3\n", "utf-8")
    given = {"workdir": str(tmp_path / "a"), "base": "b.flags", "changes": str(changes)}
    with flagsaver.as_parsed(**given, genotype="g.json", seeds="1,2", measure="64x64"):
        ablation.main()
    common = ["--flagfile=b.flags", "--genotype=g.json"]
    assert [each[0:3:2] for each in started] == [common] * 4
    assert [each[3:] for each in started] == [
        ["--seed=1", "--net=1"],
        ["--seed=2", "--net=2"],
        ["--seed=2", "--net=1"],
        ["--seed=3", "--net=1"],
    ]
    facts = read_json(tmp_path / "a" / "ablation.json")
    runs = facts["runs"]
    names = [(each["name"], each["seed"]) for each in runs]
    assert names == [("own", 1), ("own", 2), ("same", 2), ("same", 3)]
    assert [each["scores"]["miou"] for each in runs] == [0.1, 0.2, 0.2, 0.3]
    assert [each["flags"] for each in runs] == [["--net={seed}"]] * 2 + [
        ["--net=1", "--seed=2", "--seed=3"]
    ] * 2
    genotypes = [space.random_genotype(np.random.default_rng(seed)) for seed in (1, 2, 1, 1)]
    assert [each["genotype"] for each in runs] == [each.id for each in genotypes]
    for each, genotype in zip(runs, genotypes, strict=True):
        assert each["macs"] == network_work(genotype, (64, 64), 3).macs
    assert set(facts["fps"]) == {genotypes[0].id, genotypes[1].id}
    assert all(each["fps"] > 0 for each in facts["fps"].values())


def test_a_table_has_a_row_for_each_training():
    def run(name, flags, miou):
        scores = {"miou": miou, "per_class": {"sky": 0.5, "pole": None}}
        return {"name": name, "seed": 1, "flags": flags, "scores": scores}

    both = [run("base", [], 0.4444), run("ema", ["--a", "--b=1"], None)]
    found = rows(ablation_table({"runs": both}))
    assert found == [
        ["change", "flags", "seed", "mIoU %", "sky", "pole"],
        ["base", "", "1", "44.4", "50.0", ""],
        ["ema", "--a --b=1", "1", "", "50.0", ""],
    ]


def test_seeds_are_summed_up_and_networks_have_frame_rates():
    runs = [
        {
            "name": name,
            "seed": seed,
            "flags": [],
            "genotype": genotype,
            "parameters": 1234,
            "minutes": 2.6,
            "scores": {"miou": miou, "per_class": {}},
        }
        for name, seed, genotype, miou in [
            ("random", 0, "a", 0.3),
            ("random", 1, "b", 0.5),
            ("evolution", 0, "a", 0.6),
        ]
    ]
    facts = {"runs": runs, "fps": {"a": {"fps": 90.0}, "b": {"fps": 94.0}}}
    single, means = map(rows, ablation_table(facts).split("\n\n"))
    assert single[:2] == [
        ["change", "flags", "seed", "parameters", "minutes", "FPS", "mIoU %"],
        ["random", "", "0", "1,234", "3", "90.0", "30.0"],
    ]
    assert means == [
        ["change", "seeds", "FPS", "mIoU %"],
        ["random", "2", "92.0 (90.0 to 94.0)", "40.0 (30.0 to 50.0)"],
        ["evolution", "1", "90.0 (90.0 to 90.0)", "60.0 (60.0 to 60.0)"],
    ]


def test_the_sections_of_the_document(tmp_path):
    scores = {"miou": 0.5, "per_class": {"sky": 0.5}}
    run = {"name": "base", "seed": 0, "flags": [], "scores": scores}
    path = tmp_path / "recipe.json"
    write_json(path, {"genotype": "a", "base": "b.flags", "runs": [run]})
    found = ablation_markdown(path)
    assert found.startswith("### recipe: trainings that differ in the flags of the line\n\n")
    assert "a, unless the line names another network, trained with `b.flags`" in found

    networks = [
        {"genotype": "x", "trained_miou": 0.4, "own_statistics": 0.1},
        {"genotype": "y", "trained_miou": 0.5, "own_statistics": 0.2},
    ]
    facts = {"command": "c", "networks": networks, "kendall_tau": {"own_statistics": 1.0}}
    path = tmp_path / "ranking.json"
    write_json(path, facts)
    found = ranking_markdown(path)
    assert rows(found) == [
        ["network", "trained mIoU %", "own statistics %"],
        ["y", "50.00", "20.00"],
        ["x", "40.00", "10.00"],
        ["Kendall's tau", "", "1.00"],
    ]
    assert found.endswith("Command: `c`")


def test_kendalls_tau():
    assert kendall_tau([1, 2, 3], [10, 20, 30]) == 1.0
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1.0
    # Five pairs agree and one does not; of 6.
    assert kendall_tau([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    # tau-b: 5 pairs agree, 1 is tied in the second list only.
    assert kendall_tau([1, 2, 3, 4], [1, 2, 3, 3]) == pytest.approx(5 / np.sqrt(6 * 5))
    with pytest.raises(ValueError, match="not all equal"):
        kendall_tau([1, 1], [1, 2])
