"""Changes of a recipe: their file and their table."""

import pytest

from tests.flags.presets_test import parsed
from tests.shared import ROOT
from tests.tools.maintenance.markdown_rows import rows
from tools.maintenance.ablation import ablation_table, read_changes


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


def test_the_changes_for_camvid_are_flags_of_the_tool(tmp_path):
    changes = read_changes(ROOT / "tools" / "maintenance" / "camvid_recipe.txt")
    assert changes.pop("base") == []
    for name, flags in changes.items():
        parsed("tools.train", ["--genotype=a", "--workdir=b", *flags], tmp_path)
        assert flags, name


def test_a_table_has_a_row_for_each_training():
    def run(name, flags, miou):
        scores = {"miou": miou, "per_class": {"sky": 0.5, "pole": None}}
        return {"name": name, "seed": 1, "flags": flags, "scores": scores}

    found = rows(ablation_table([run("base", [], 0.4444), run("ema", ["--a", "--b=1"], None)]))
    assert found == [
        ["change", "flags", "seed", "mIoU %", "sky", "pole"],
        ["base", "", "1", "44.4", "50.0", ""],
        ["ema", "--a --b=1", "1", "", "50.0", ""],
    ]
