"""Tables of video object segmentation, measured by `tools.benchmarks.video_objects`."""

import pathlib

from keras_fasterseg.files import PathLike, read_json
from tools.maintenance.markdown import number, table


def video_markdown(file: PathLike) -> str:
    """The section of the document for one result file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is not JSON.
        KeyError: A field is missing.
    """
    facts = read_json(pathlib.Path(file))
    names = [name for name in facts["scores"][0] if name != "method"]
    scores = table(
        [[row["method"], *(number(row[name], ".1f") for name in names)] for row in facts["scores"]],
        ["followed by", *(f"{name} %" for name in names)],
        right=True,
    )
    columns = ("network ms", "tracker ms", "loop ms", "network FPS", "loop FPS")
    speed = table(
        [
            [
                row["size"],
                row["frames"],
                row["runtime"],
                *(number(row[name], ".1f") for name in columns),
            ]
            for row in facts["speed"]
        ],
        ["network", "frames", "runtime", *columns],
        right=True,
    )
    environment = facts["environment"]
    threads = sorted({row["threads"] for row in facts["speed"]})
    return (
        f"### Video object segmentation: {pathlib.Path(file).stem}\n\n{scores}\n\n"
        f"{facts['sequences']} sequences with {facts['frames']} frames of the split "
        f"{facts['split']}; objects are followed from the masks of the first frames. "
        f"The network has {facts['parameters']:,} parameters.\n\n{speed}\n\n"
        f"{environment['cpu']}, {' or '.join(map(str, threads))} threads, medians. Network: uint8 "
        "image to outputs in host memory, runtimes in turns. Loop: resizing, network, pasting of "
        "masks and tracker, frame by frame, one runtime after the other; harness version "
        f"{facts['harness_version']}."
    )
