"""The bundle for a GPU machine: its members, and its installation."""

import pathlib
import subprocess
import sys
import tarfile

import pytest

from tools.benchmarks.gpu import bundle, unpack


@pytest.fixture
def folders(tmp_path):
    """A tiny CamVid and a folder with one wheel."""
    camvid, wheels = tmp_path / "camvid", tmp_path / "wheels"
    for path in (camvid / "train" / "a.jpg", wheels / "toy-1.0-py3-none-any.whl"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"content")
    return camvid, wheels


def test_all_members_are_files_in_one_folder(folders, tmp_path):
    code = [pathlib.Path("tools/__init__.py"), pathlib.Path("pyproject.toml")]
    bundle.write_bundle(tmp_path / "bundle.tar", code, *folders)
    with tarfile.open(tmp_path / "bundle.tar") as archive:
        assert all(member.isfile() for member in archive)
        assert sorted(archive.getnames()) == [
            "gpu_bundle/camvid/train/a.jpg",
            "gpu_bundle/code/pyproject.toml",
            "gpu_bundle/code/tools/__init__.py",
            "gpu_bundle/unpack.py",
            "gpu_bundle/wheels/toy-1.0-py3-none-any.whl",
        ]


def test_a_link_is_refused(folders, tmp_path):
    camvid, wheels = folders
    (camvid / "train" / "b.jpg").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match=r"b\.jpg"):
        bundle.write_bundle(tmp_path / "bundle.tar", [], camvid, wheels)


def test_a_name_that_leads_out_is_refused(folders, tmp_path):
    with pytest.raises(ValueError, match="plain files"):
        bundle.write_bundle(tmp_path / "bundle.tar", [pathlib.Path("../secret")], *folders)


def test_without_camvid_there_is_no_bundle(tmp_path):
    with pytest.raises(FileNotFoundError, match="--camvid"):
        bundle.write_bundle(tmp_path / "bundle.tar", [], tmp_path / "gone", tmp_path)


def test_the_code_is_that_of_the_harness():
    names = {path.as_posix() for path in bundle.code_files()}
    assert {"keras_fasterseg/__init__.py", "pyproject.toml"} <= names
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


def test_packages_that_the_machine_has_are_not_installed():
    numpy = unpack._version("numpy")
    assert not unpack._is_lacking("numpy-0.1-cp312-none-any.whl")
    assert unpack._is_lacking("no_such_package-1.0-py3-none-any.whl")
    assert unpack._is_lacking("keras-0.1-py3-none-any.whl"), "another version of Keras"
    assert numpy is not None


def test_it_unpacks_and_says_what_to_run(folders, tmp_path):
    camvid, wheels = folders
    (wheels / "toy-1.0-py3-none-any.whl").unlink()
    bundle.write_bundle(tmp_path / "bundle.tar", [pathlib.Path("pyproject.toml")], camvid, wheels)
    with tarfile.open(tmp_path / "bundle.tar") as archive:
        archive.extractall(tmp_path / "there", filter="data")
    script = tmp_path / "there" / "gpu_bundle" / "unpack.py"
    finished = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )
    assert f"cd {script.parent}/code" in finished.stdout
    assert f"export PYTHONPATH={script.parent}/site" in finished.stdout
