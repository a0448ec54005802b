"""The pictures of runs: of one that is kept in docs/results, and of such as lack something."""

import re
import shutil

import pytest

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.jobs.draw_search import draw_search, read_curve
from keras_fasterseg.spaces.registry import load_preset
from tests.reports.search_records_test import RECORDS
from tests.shared import ROOT
from tests.visualization.svg_text import texts

KEPT = ROOT / "docs" / "results" / "camvid_small"
PICTURES = ("search", "candidates", "training", "networks", "teacher", "student")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    output = tmp_path_factory.mktemp("pictures")
    return draw_search(KEPT, output), output


def test_everything_of_a_run_with_a_comparison(drawn):
    result, output = drawn
    assert result.written == tuple(output / f"{name}.svg" for name in PICTURES)
    assert not result.left_out
    assert {path.name for path in output.iterdir()} == {f"{name}.svg" for name in PICTURES}


def test_the_pictures_tell_what_the_files_say(drawn):
    _, output = drawn
    comparison = read_json(KEPT / "comparison.json")
    networks = texts(output / "networks.svg")
    for row in comparison["rows"]:
        numbers = f"{100 * row['miou']:.2f} %, {row['fps']:.1f} FPS"
        assert any(text.startswith(row["name"]) and text.endswith(numbers) for text in networks)
    last = read_json(KEPT / "search" / "search.json")[-1]
    low, high = last["fps_band"]
    for name in ("search", "candidates", "networks"):
        assert f"band, {low:g} to {high:g}" in texts(output / f"{name}.svg")
    for role in ("teacher", "student"):
        words = " ".join(texts(output / f"{role}.svg"))
        assert last[role]["genotype"] in words
        assert ("predicted" in words) == (role == "student")
    fps = last["student"]["fps_predicted"]["scale_16_32"]
    assert f"predicted {fps:.1f} FPS" in " ".join(texts(output / "student.svg"))
    training = texts(output / "training.svg")
    assert {"searched teacher", "searched student, distilled"} <= set(training)


def test_docs_show_what_make_pictures_draws(drawn, tmp_path):
    other = draw_search(KEPT.parent / "bands_high", tmp_path)
    for run, result in (("camvid_small", drawn[0]), ("bands_high", other)):
        kept = ROOT / "docs" / "pictures" / run
        assert {path.name for path in kept.iterdir()} == {path.name for path in result.written}
        for path in result.written:
            # Other versions of matplotlib may write other bytes.
            assert texts(kept / path.name) == texts(path), "run `make pictures`"


def test_pictures_are_small():
    paths = [path for path in (ROOT / "docs" / "pictures").rglob("*") if path.is_file()]
    assert paths
    assert max(path.stat().st_size for path in paths) < 150_000


def test_what_is_missing_is_said(tmp_path):
    run = tmp_path / "run"
    write_json(run / "search" / "search.json", RECORDS)
    result = draw_search(run, tmp_path / "pictures", ".png")
    names = [path.name for path in result.written]
    assert names == ["search.png", "candidates.png"]
    assert [sentence.partition(" is left out: ")[0] for sentence in result.left_out] == [
        *("training", "networks", "teacher", "student"),
    ]
    assert all(str(run) in sentence for sentence in result.left_out)


def test_a_search_that_goes_on_shows_its_newest_network(tmp_path):
    run = tmp_path / "run"
    for name in ("latency_table", "stage"):
        target = run / "search" / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(KEPT / "search" / f"{name}.json", target)
    teacher = load_preset("fasterseg_teacher")
    load_preset("fasterseg_student").save(run / "search" / "epoch_000" / "teacher.json")
    teacher.save(run / "search" / "epoch_001" / "teacher.json")
    result = draw_search(run, tmp_path / "pictures")
    assert [path.name for path in result.written] == ["teacher.svg"]
    assert f"run: teacher · {teacher.id}" in texts(result.written[0])


@pytest.mark.parametrize(
    "rows", ["0,3,nan\n1,2,0.25\n2,1.5,0.25\n3,1,0.5\n", "0,3,\n1,2,0.25\n2,1.5,\n3,1,0.5\n"]
)
def test_epochs_without_an_evaluation_have_no_point(tmp_path, rows):
    log = tmp_path / "run" / "student" / "log.csv"
    log.parent.mkdir(parents=True)
    log.write_text(f"epoch,loss,val_miou\n{rows}")
    curve = read_curve(log, "student")
    assert curve.losses == [3.0, 2.0, 1.5, 1.0]
    assert curve.mious == [(2, 0.25), (4, 0.5)]
    assert [path.name for path in draw_search(tmp_path / "run", tmp_path / "p").written] == [
        "training.svg"
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("search/search.json", "[]"),
        ("search/search.json", '[{"student": 3}]'),
        ("student/log.csv", "epoch,loss\n0,1\n"),
        ("student/log.csv", "epoch,loss,val_miou\n0,many,0\n"),
        ("comparison.json", "{}"),
    ],
)
def test_a_file_that_is_not_whole_is_named_and_nothing_written(tmp_path, name, text):
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(str(path))):
        draw_search(tmp_path / "run", tmp_path / "pictures")
    assert not (tmp_path / "pictures").exists()


def test_nothing_to_draw(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone has nothing to draw"):
        draw_search(tmp_path / "gone", tmp_path / "pictures")
