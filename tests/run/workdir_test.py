import dataclasses
import os
import pathlib

import keras
import pytest

from keras_fasterseg import workers
from keras_fasterseg.files import read_json
from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.workdir import Workdir, plain
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.stages import BenchmarkSettings, DataSettings
from keras_fasterseg.settings.training import TrainSettings
from tests.shared import ROOT


@dataclasses.dataclass(frozen=True)
class Settings:
    rate: float = 0.1
    size: tuple[int, int] = (64, 128)
    folder: pathlib.Path | None = None


class Work:
    """Writes a file and counts how often it did; fails the first `failures` times."""

    def __init__(self, failures=0):
        self.calls = 0
        self.failures = failures

    def __call__(self, folder):
        self.calls += 1
        (folder / "half").write_text(str(self.calls))
        if self.calls <= self.failures:
            raise KeyboardInterrupt
        (folder / "result").write_text(str(self.calls))


def test_a_finished_stage_is_not_run_again(tmp_path):
    work = Work()
    settings = {"train": Settings(), "seed": 1}
    for _ in range(2):
        # A later call is another process with another object.
        folder = Workdir(tmp_path / "a" / "b").stage("train", settings, work)
    assert folder == tmp_path / "a" / "b" / "train"
    assert work.calls == 1
    assert (folder / "result").read_text() == "1"


def test_the_record_holds_settings_and_minutes(tmp_path):
    workdir = Workdir(tmp_path)
    folder = workdir.stage("train", {"train": Settings(folder=pathlib.Path("x"))}, Work())
    record = read_json(folder / "stage.json")
    assert record["settings"] == {"train": {"rate": 0.1, "size": [64, 128], "folder": "x"}}
    assert record["minutes"] == workdir.minutes("train") >= 0
    with pytest.raises(FileNotFoundError):
        workdir.minutes("search")


def test_changed_settings_are_refused_and_named(tmp_path):
    work = Work()
    Workdir(tmp_path).stage("train", {"train": Settings(), "seed": 1}, work)
    changed = {"train": Settings(rate=0.2, size=(32, 128)), "seed": 1}
    with pytest.raises(ValueError, match="finished with other settings") as error:
        Workdir(tmp_path).stage("train", changed, work)
    assert "--train_rate was 0.1, is 0.2" in str(error.value)
    assert "--train_size was [64, 128], is [32, 128]" in str(error.value)
    assert "seed" not in str(error.value)
    assert str(tmp_path / "train") in str(error.value)
    assert work.calls == 1


@pytest.mark.parametrize(("before", "now"), [({"a": 1}, {"a": 1, "b": 2}), ({"b": 2}, {})])
def test_a_setting_that_comes_or_goes_is_a_change(tmp_path, before, now):
    Workdir(tmp_path).stage("train", before, Work())
    with pytest.raises(ValueError, match="b was"):
        Workdir(tmp_path).stage("train", now, Work())


def test_an_interrupted_stage_runs_again_with_any_settings(tmp_path):
    work = Work(failures=1)
    workdir = Workdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        workdir.stage("train", {"rate": 1}, work)
    assert (tmp_path / "train" / "half").exists()
    folder = workdir.stage("train", {"rate": 2}, work)
    assert work.calls == 2
    assert (folder / "result").read_text() == "2"


def test_minutes_add_up_over_calls_that_were_stopped(tmp_path):
    workdir = Workdir(tmp_path)
    table = tmp_path / "latency" / "table.json"

    def stopped(folder):
        """Killed ten minutes after the last row, which came after three."""
        table.write_text("{}")
        now = table.stat().st_mtime
        os.utime(table, (now, now + 3 * 60))
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            workdir.stage("latency", {}, stopped, partial="table.json")
    workdir.stage("latency", {}, lambda folder: None, partial="table.json")
    assert workdir.minutes("latency") == pytest.approx(6.0, abs=0.2)
    assert not {"begun", "earlier_minutes"} & set(read_json(tmp_path / "latency" / "stage.json"))


def save_checkpoint(folder, minutes=1.5, stopped=False):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    Checkpoints(folder).save(model, 1, 0, {"minutes": minutes, "stopped": stopped})


def test_a_stage_with_checkpoints_goes_on_with_its_settings_alone(tmp_path):
    def stop(folder):
        save_checkpoint(folder)
        raise KeyboardInterrupt

    workdir = Workdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        workdir.stage("train", {"train": Settings()}, stop)
    assert workdir.recorded("train") is None
    with pytest.raises(ValueError, match=r"train was started with other .*--train_rate was 0\.1"):
        workdir.stage("train", {"train": Settings(rate=0.2)}, Work())
    folder = workdir.stage("train", {"train": Settings()}, Work())
    assert not (folder / "checkpoints").exists()
    assert 1.5 <= workdir.minutes("train") < 2


def test_listeners_hear_of_stages_that_end(tmp_path):
    workdir, heard = Workdir(tmp_path), []
    workdir.listeners.append(lambda name, seconds: heard.append((name, seconds)))
    save_checkpoint(tmp_path / "train", minutes=1.5)
    workdir.stage("train", {}, Work(), keep_checkpoint=True)
    workdir.stage("train", {}, Work())
    workdir.stage("train", {}, Work(), prolong=True)
    assert [name for name, _ in heard] == ["train", "train"]
    # With the calls that were stopped; of the prolonged stage the last call alone.
    assert 90 <= heard[0][1] < 120
    assert 0 <= heard[1][1] < 30


def test_a_stage_with_a_partial_file_goes_on_with_its_settings_alone(tmp_path):
    def stop(folder):
        (folder / "table.json").write_text("{}")
        raise KeyboardInterrupt

    workdir = Workdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        workdir.stage("latency", {"rate": 1}, stop, partial="table.json")
    with pytest.raises(ValueError, match="latency was started with other settings"):
        workdir.stage("latency", {"rate": 2}, Work(), partial="table.json")
    workdir.stage("latency", {"rate": 1}, Work(), partial="table.json")
    assert workdir.recorded("latency") == {"rate": 1}


def test_settings_that_change_no_result_may_change(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.stage("train", {"data": DataSettings(cache=False)}, Work())
    workdir.stage("train", {"data": DataSettings(cache=True)}, Work())
    with pytest.raises(ValueError, match="--train_split was 'train', is 'all'"):
        workdir.stage("train", {"data": DataSettings(train_split="all")}, Work())


def test_what_a_killed_writer_left_is_removed(tmp_path):
    partial = tmp_path / "train" / ".network.keras.abc.partial"
    partial.mkdir(parents=True)
    Workdir(tmp_path).stage("train", {}, Work())
    assert not partial.exists()


def test_a_broken_record_is_named(tmp_path):
    folder = Workdir(tmp_path).stage("train", {}, Work())
    (folder / "stage.json").write_text("{")
    with pytest.raises(ValueError, match=r"stage\.json"):
        Workdir(tmp_path).stage("train", {}, Work())


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"settings": [], "minutes": 1}', '{"settings": {}, "minutes": "long"}']
)
def test_a_record_of_something_else_is_named(tmp_path, text):
    folder = Workdir(tmp_path).stage("train", {}, Work())
    (folder / "stage.json").write_text(text)
    with pytest.raises(ValueError, match=r"stage\.json is not a valid record of a stage"):
        Workdir(tmp_path).stage("train", {}, Work())


def test_a_file_is_no_workdir(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            OSError, match=f"workdir {path} cannot be created: {tmp_path}/file is a"
        ):
            Workdir(path)


def test_a_workdir_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    # Rights alone would not stop the tests of an administrator.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(OSError, match=f"{tmp_path} is not writable"):
        Workdir(tmp_path)


def test_plain_is_what_json_holds():
    settings = BenchmarkSettings(input_size=(64, 128))
    expected = {"input_size": [64, 128], "path": "a/b", "none": None}
    value = {"settings": settings, "path": pathlib.PurePath("a/b"), "none": None}
    found = plain(value)
    assert found["settings"]["input_size"] == expected["input_size"]
    assert (found["path"], found["none"]) == ("a/b", None)
    assert set(found["settings"]) == {f.name for f in dataclasses.fields(BenchmarkSettings)}


def test_records_of_defaults_are_those_of_earlier_versions():
    """Settings added since then are recorded only if they are set, so that those runs resume."""
    earlier = read_json(ROOT / "docs" / "results" / "demo" / "search" / "stage.json")["settings"]
    assert set(plain(SearchSettings())) == set(earlier["search"])
    assert set(plain(PretrainSettings())) == set(earlier["pretrain"])
    assert not {"optimizer", "scales", "shift", "ohem_threshold"} & set(plain(TrainSettings()))
    changed = plain(SearchSettings(optimizer="adam", scales=(1.0,)))
    assert set(changed) - set(earlier["search"]) == {"optimizer", "scales"}
    assert (changed["optimizer"], changed["scales"]) == ("adam", [1.0])


@pytest.mark.parametrize("begins", [True, False])
def test_a_worker_that_is_not_the_chief_follows_it(tmp_path, monkeypatch, begins):
    """It runs a stage only if the chief does, and writes nothing itself."""
    asked = []

    def decides(decision=False):
        asked.append(decision)
        return begins

    monkeypatch.setattr(workers, "is_chief", lambda: False)
    monkeypatch.setattr(workers, "chief_decides", decides)
    ran = []
    folder = Workdir(tmp_path / "run").stage("search", {"a": 1}, ran.append)
    assert folder == tmp_path / "run" / "search"
    # The second answer is the end of the chief's stage.
    assert (ran, asked) == (([folder], [False, False]) if begins else ([], [False]))
    assert not folder.exists()
