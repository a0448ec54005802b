"""Installs, inside the unpacked bundle, the packages that this machine lacks.

    tar xf gpu_bundle.tar && python3 gpu_bundle/unpack.py

Prints the lines to run next. Nothing outside the folder is changed. Python needs pip.
"""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
# Needed by the piece camvid, but too large for the bundle.
EXPECTED = ("numpy", "pillow", "matplotlib", "tensorboard")
# A package of another version is replaced.
EXACT = ("keras",)


def main() -> None:
    wheels = sorted((FOLDER / "wheels").glob("*.whl"))
    site = FOLDER / "site"
    lacking = [wheel for wheel in wheels if _is_lacking(wheel.name)]
    if lacking:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-index", "--no-deps", "--no-compile", "--upgrade", f"--target={site}"]
        subprocess.run([*pip, *options, *map(str, lacking)], check=True)
    print(f"Installed {len(lacking)} of {len(wheels)} packages into {site}.", file=sys.stderr)
    absent = [name for name in EXPECTED if _version(name) is None]
    if absent:
        print(f"This machine also lacks {', '.join(absent)}.", file=sys.stderr)
    print(f"export PYTHONPATH={site}{os.pathsep}$PYTHONPATH")
    print(f"cd {FOLDER / 'code'}")
    print(f"# python3 -m tools.benchmarks.gpu --output=OUTPUT --data_dir={FOLDER / 'camvid'}")


def _is_lacking(wheel: str) -> bool:
    name, version, *_ = wheel.split("-")
    found = _version(re.sub("[-_.]+", "-", name))
    return found is None or (name in EXACT and found != version)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
