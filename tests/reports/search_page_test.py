"""The page of a search."""

import re
import shutil

import pytest

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.jobs.draw_search import draw_search, write_page
from keras_fasterseg.reports.search_page import search_facts, search_page
from tests.shared import ROOT

KEPT = ROOT / "docs" / "results"


def copy_of(tmp_path, name, miou=None, fps=None, **settings):
    """A kept search with other settings, and with a trained student if an mIoU is given."""
    run = tmp_path / name
    shutil.copytree(KEPT / "bands_high" / "search", run / "search")
    stage = read_json(run / "search" / "stage.json")
    stage["settings"]["search"].update(settings)
    write_json(run / "search" / "stage.json", stage)
    if miou is not None:
        write_json(run / "student" / "evaluation.json", {"miou": miou})
        write_json(run / "benchmark" / "student.json", {"fps": fps})
    return run


def test_facts_of_a_kept_search():
    facts = search_facts(KEPT / "camvid_small")
    assert (facts.name, facts.strategy) == ("camvid_small", "gradient")
    assert facts.student == "bff2dbe7abd2"
    assert facts.band == (88.0, 95.0)
    assert facts.fps == pytest.approx(109.85, abs=0.01)
    assert facts.score is None


def test_the_page_has_everything_in_itself(tmp_path):
    run = copy_of(tmp_path, "run")
    write_page(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The search, epoch by epoch" in page
    assert "It is not trained yet." in page
    assert "<td>architecture_learning_rate</td>" in page
    # Nothing is loaded from elsewhere.
    assert set(re.findall(r'(?:src|href)="([^,"]+)', page)) == {"data:image/svg+xml;base64"}


def test_strategies_are_compared_by_mean_and_spread(tmp_path):
    runs = [
        copy_of(tmp_path, f"{strategy}_{index}", miou, 100.0 + index, strategy=strategy)
        for strategy, mious in (("evolution", (0.4, 0.5)), ("random", (0.45,)))
        for index, miou in enumerate(mious)
    ]
    page = search_page(runs[0], {}, runs[1:])
    evolution = "<td>evolution</td><td class=number>2</td>"
    assert f"{evolution}<td>45.00 ± 7.07</td><td>100.5 ± 0.7</td>" in page
    assert "<td>random</td><td class=number>1</td><td class=number>45.00</td>" in page
    assert page.count("evolution_") == 4  # title, heading, and two rows


def test_the_ranking_marks_the_chosen_network(tmp_path):
    run = copy_of(tmp_path, "run")
    student = read_json(run / "search" / "student.json")
    ranking = [
        {"genotype": {**student, "id": "other"}, "miou": 0.1, "latency_ms": 10.0},
        {"genotype": student, "miou": 0.2, "latency_ms": 6.25},
    ]
    write_json(run / "search" / "ranking.json", {"student": ranking})
    gap = {"student": {"supernet_miou": 0.5, "one_hot_miou": 0.25, "inherited_miou": None}}
    write_json(run / "search" / "gap.json", gap)
    page = search_page(run, {})
    row = f"<tr class=chosen><td>{student['id']}</td><td class=number>20.00</td>"
    assert f"{row}<td class=number>160.0</td>" in page
    assert page.index(row) < page.index("<td>other</td>")
    assert "Its predicted frame rate of 160.0 FPS is inside the band." in page
    assert "<td>student</td><td class=number>50.00</td><td class=number>25.00</td><td></td>" in page


def test_names_are_text_not_markup(tmp_path):
    run = copy_of(tmp_path, "a<b>&c")
    assert "<h1>Search a&lt;b&gt;&amp;c</h1>" in search_page(run, {})


def test_a_page_needs_a_finished_search(tmp_path):
    run = copy_of(tmp_path, "run")
    (run / "search" / "stage.json").unlink()
    with pytest.raises(FileNotFoundError):
        write_page(run, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_draw_search_writes_the_page_if_asked(tmp_path):
    run = copy_of(tmp_path, "run")
    assert "report.html" not in {path.name for path in draw_search(run, tmp_path / "a").written}
    drawn = draw_search(run, tmp_path / "b", compare=[run])
    assert drawn.written[-1] == tmp_path / "b" / "report.html"
    assert "<h2>Strategies</h2>" in drawn.written[-1].read_text(encoding="utf-8")
