"""Packs the harness for a GPU machine without network: code, CamVid and wheels in one tar file.

    python -m tools.benchmarks.gpu.bundle --output=runs/gpu_bundle.tar

`make gpu-bundle` runs it, and `unpack.py` in the bundle says what to do there.
"""

from tools import command  # isort: skip

import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator

from absl import flags

from keras_fasterseg.files import atomic_path

# What the pieces import besides JAX or PyTorch, NumPy, Pillow, matplotlib and tensorboard, which
# the machine must have.
PACKAGES = (
    "keras",
    "namex",
    "optree",
    "absl-py",
    "h5py",
    "ml_dtypes",
    "packaging",
    "typing_extensions",
    "rich",
    "markdown-it-py",
    "mdurl",
    "pygments",
    "PyYAML",
    "psutil",
    "tabulate",
    "tqdm",
    "cityscapesscripts",
)
PLATFORMS = tuple(f"manylinux{name}_x86_64" for name in ("_2_28", "_2_17", "2014"))
CODE = ("keras_fasterseg", "tools", "flags", "pyproject.toml")
FOLDER = "gpu_bundle"
ROOT = pathlib.Path(__file__).resolve().parents[3]

OUTPUT = flags.DEFINE_string("output", "runs/gpu_bundle.tar", "Tar file to write.")
CAMVID = flags.DEFINE_string(
    "camvid",
    None,
    "Folder of CamVid. Default: `camvid` in $KERAS_FASTERSEG_SHARED or in ../shared.",
)
PYTHON = flags.DEFINE_string("python_version", "3.12", "Python version of the GPU machine.")
WITHOUT = flags.DEFINE_list("without", [], "Packages that the GPU machine is known to have.")
MEGABYTES = flags.DEFINE_float("megabytes", 60.0, "Largest size of the bundle.", lower_bound=0.0)


def main() -> None:
    shared = pathlib.Path(os.environ.get("KERAS_FASTERSEG_SHARED") or ROOT.parent / "shared")
    camvid = pathlib.Path(CAMVID.value or shared / "camvid")
    with tempfile.TemporaryDirectory() as wheels, atomic_path(OUTPUT.value) as path:
        packages = [name for name in PACKAGES if name not in WITHOUT.value]
        download_wheels(pathlib.Path(wheels), packages, PYTHON.value)
        write_bundle(path, code_files(), camvid, pathlib.Path(wheels))
        size = path.stat().st_size / 1e6
        if size > MEGABYTES.value:
            raise ValueError(
                f"The bundle has {size:.1f} MB, more than {MEGABYTES.value:g}; raise --megabytes "
                "or leave packages out with --without."
            )
    print(f"{OUTPUT.value}: {size:.1f} MB. On the GPU machine:")
    name = pathlib.Path(OUTPUT.value).name
    print(f'  tar xf {name} && eval "$(python3 {FOLDER}/unpack.py)"')


def download_wheels(folder: pathlib.Path, packages: list[str], python: str) -> None:
    """Downloads wheels in the versions of requirements.txt, if it has them.

    Raises:
        OSError: pip failed; its last line is in the message.
    """
    target = ["--python-version", python, "--implementation", "cp", "--only-binary=:all:"]
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", *target, *platforms, "-c", str(ROOT / "requirements.txt")]
    call = [*pip, *options, "-d", str(folder), *packages]
    finished = subprocess.run(call, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = finished.stderr.strip().splitlines()
        raise OSError(f"pip could not download the wheels: {lines[-1] if lines else 'no output'}")


def code_files() -> list[pathlib.Path]:
    """The code's files that git tracks, relative to the checkout."""
    finished = subprocess.run(
        ["git", "ls-files", "-z", "--", *CODE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [pathlib.Path(name) for name in finished.stdout.split("\0") if name]


def write_bundle(
    path: pathlib.Path, code: list[pathlib.Path], camvid: pathlib.Path, wheels: pathlib.Path
) -> None:
    """Writes the tar file; all of its members are files inside one folder.

    Raises:
        FileNotFoundError: `camvid` is not a folder.
        ValueError: A file is a link, or its name leads out of the folder.
    """
    if not camvid.is_dir():
        raise FileNotFoundError(f"The folder {camvid} does not exist; set --camvid.")
    members: list[tuple[pathlib.Path, str]] = [
        (pathlib.Path(__file__).with_name("unpack.py"), "unpack.py"),
        *((ROOT / name, f"code/{name.as_posix()}") for name in code),
        *_below(camvid, "camvid"),
        *_below(wheels, "wheels"),
    ]
    with tarfile.open(path, "w") as archive:
        for file, name in members:
            if file.is_symlink() or ".." in pathlib.PurePosixPath(name).parts:
                raise ValueError(f"The bundle may hold only plain files. Received: {file}")
            archive.add(file, f"{FOLDER}/{name}", recursive=False)


def _below(folder: pathlib.Path, name: str) -> Iterator[tuple[pathlib.Path, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, f"{name}/{path.relative_to(folder).as_posix()}"


if __name__ == "__main__":
    command.run(main)
