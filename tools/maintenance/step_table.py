"""Table of the steps of several supernets, measured by `tools.benchmarks.supernet_step`."""

import pathlib
from collections.abc import Sequence

from keras_fasterseg.files import PathLike, read_json
from tools.maintenance.markdown import number, table

STEPS = 150


def step_markdown(files: Sequence[PathLike]) -> str:
    """The section of the document for results of `supernet_step`, all of the same images.

    Raises:
        ValueError: The images or the numbers of cores differ.
    """
    facts = [(pathlib.Path(file).stem, read_json(file)) for file in files]
    common = {(*each["images"], each["available_cores"]) for _, each in facts}
    if len(common) != 1:
        raise ValueError(f"The steps were measured on different images or cores: {sorted(common)}")
    ((batch, height, width, _, cores),) = common
    rows = [
        [
            name,
            job,
            number(measured["compile_seconds"], ".0f"),
            number(measured["step_seconds"], ".2f"),
            number(measured.get("pruned_step_seconds"), ".2f"),
            number(measured["peak_memory_gb"], ".1f"),
            number((measured["compile_seconds"] + STEPS * measured["step_seconds"]) / 60, ".1f"),
        ]
        for name, each in facts
        for job, measured in each["jobs"].items()
    ]
    header = [
        *("supernet", "job", "s until full speed", "s per step", "s per step, pruned"),
        *("peak GB", f"minutes for {STEPS} steps"),
    ]
    return (
        f"### Steps of the supernets\n\n{table(rows, header)}\n\n{batch} random crops of "
        f"{height}x{width} a step on {cores} cores: `tools.benchmarks.supernet_step`, settings in "
        "the files. Minutes are those until full speed and of the steps, without evaluations."
    )
