"""Writes the BUILD file of this repository from its tree; docs/bazel.md tells how to use it."""

from tools import command  # isort: skip

import pathlib

from absl import flags

from keras_fasterseg.files import write_text
from tools import build_targets

ROOT = flags.DEFINE_string("root", ".", "The checkout whose BUILD is written.")


def main() -> None:
    root = pathlib.Path(ROOT.value)
    write_text(root / "BUILD", build_targets.build_file_text(build_targets.find_targets(root)))
    print(f"Wrote {root / 'BUILD'}")


if __name__ == "__main__":
    command.run(main)
