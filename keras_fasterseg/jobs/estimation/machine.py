"""Free memory and disk of this machine."""

import pathlib
import shutil

import psutil

from keras_fasterseg.files import PathLike

_ROOT = pathlib.Path("/")


def free_memory_bytes(root: pathlib.Path = _ROOT) -> int:
    """Memory that new processes can take without swapping.

    A control group (a container's limit) counts if it has less left than the machine.

    Args:
        root: Where `/proc` and `/sys` are.
    """
    return min([psutil.virtual_memory().available, *_left_in_groups(root)])


def own_memory_bytes() -> int:
    """Memory that this process has now."""
    return psutil.Process().memory_info().rss


def free_disk_bytes(path: PathLike) -> int:
    """Space left for this user on the file system of `path`, or of its nearest folder above."""
    path = pathlib.Path(path).absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def gigabytes(count: float) -> str:
    """Bytes for people: `7.50 GB`; a GB is 1e9 bytes."""
    return f"{count / 1e9:.2f} GB"


def _left_in_groups(root: pathlib.Path) -> list[int]:
    """Free memory of each control group above this process; both versions of them."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            base = root / "sys/fs/cgroup"
            names = ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = base / group.strip("/")
        while folder.is_relative_to(base):
            left += _left(folder, *names)
            folder = folder.parent
    return left


def _left(folder: pathlib.Path, limit: str, usage: str, reclaimable: str) -> list[int]:
    try:
        most = (folder / limit).read_text(encoding="utf-8").strip()
        used = int((folder / usage).read_text(encoding="utf-8"))
        statistics = (folder / "memory.stat").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return []
    if most == "max":
        return []
    # Pages of files that nobody uses are given up before anything is killed.
    cached = dict(zip(statistics[::2], statistics[1::2], strict=True)).get(reclaimable, "0")
    return [max(0, int(most) - used + int(cached))]
