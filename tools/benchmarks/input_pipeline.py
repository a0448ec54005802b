"""Images per second of the training pipeline: from files, and from converted shards.

    python -m tools.benchmarks.input_pipeline --sizes=1024x2048,360x480

The pipeline is that of a training: decode, scale, crop, flip, normalise, batch. Files and shards
(`tools.convert_dataset`, png and raw) take turns, so that varying load affects all of them alike.
"files, NumPy" is the pipeline that other backends than TensorFlow use. "CPU ms" is the processor
time per image in the pipeline, including the processes that read. "read ms" is the part that reads
and decodes, measured separately in one thread. The columns "times files" are ratios to plain files:
the median over the rounds, with its 95 % interval. Other programs affect processor time less than
images per second.
"""

from tools import command  # isort: skip

import contextlib
import json
import os
import pathlib
import statistics
import tempfile
import time
import types
from collections.abc import Iterator
from typing import Any

import psutil
import tabulate
from absl import flags

from flags import settings_flags
from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data import registry
from keras_fasterseg.files import write_json

SIZES = flags.DEFINE_list(
    "sizes", ["1024x2048", "360x480"], "Height x width of the generated scenes, comma separated."
)
IMAGES = flags.DEFINE_integer("images", 24, "Number of generated images per size.", lower_bound=1)
DATASET = flags.DEFINE_enum(
    "dataset",
    None,
    sorted(registry.SOURCES),
    "Data set whose train split is measured instead of generated scenes.",
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the data set.")
DOWNSAMPLE = flags.DEFINE_list(
    "downsample", ["1", "2"], "Downsampling factors of the images, comma separated."
)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Images per batch.", lower_bound=1)
BATCHES = flags.DEFINE_integer("batches", 6, "Number of timed batches per turn.", lower_bound=1)
ROUNDS = flags.DEFINE_integer("rounds", 7, "Number of turns of each storage format.", lower_bound=6)
COLD = flags.DEFINE_bool(
    "cold", False, "Drop files and shards from the page cache before every turn."
)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the numbers to.")
flags.adopt_module_key_flags(settings_flags)

FILES = "files"
NUMPY = "files, NumPy"


def main() -> None:
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, source in _sources(pathlib.Path(folder)):
            for downsample in map(int, DOWNSAMPLE.value):
                results += _measure(name, source, downsample, pathlib.Path(folder))
    headers = (
        *("images", "downsample", "stored as", "MB"),
        *("read ms", "CPU ms", "times files by CPU", "images/s", "times files"),
    )
    print(tabulate.tabulate(map(_row, results), headers=headers, disable_numparse=True))
    facts = {
        "batch_size": BATCH_SIZE.value,
        "images_timed_in_a_turn": BATCH_SIZE.value * BATCHES.value,
        "rounds": ROUNDS.value,
        "page_cache": "dropped before every turn" if COLD.value else "warm",
        "available_cores": available_cores().logical,
        "cpu_quota": available_cores().quota,
        "load_average": psutil.getloadavg()[0],
        "command": command.line(),
    }
    print(json.dumps(facts))
    if OUTPUT.value:
        write_json(OUTPUT.value, {**facts, "results": results})


def _sources(folder: pathlib.Path) -> Iterator[tuple[str, object]]:
    """Yields the data sets of files, each with its name in the table."""
    from keras_fasterseg.data.synthetic_streets import generate

    if DATASET.value is not None:
        if DATA_DIR.value is None:
            raise ValueError("--dataset needs --data_dir, the folder of the data set.")
        source = registry.load_source(DATASET.value, DATA_DIR.value)
        height, width = source.read_size(source.samples("train")[0])
        yield f"{DATASET.value} {height}x{width}", source
        return
    for size in SIZES.value:
        height, width = settings_flags.SizeParser().parse(size)
        root = folder / size
        drawn = generate(root, num_train=IMAGES.value, num_val=1, height=height, width=width)
        yield f"drawn {size}", drawn


def _measure(name: str, source, downsample: int, folder: pathlib.Path) -> list[dict[str, object]]:
    from keras_fasterseg.data import numpy_pipeline, pipeline
    from keras_fasterseg.data.pipeline_settings import TrainingPipeline
    from keras_fasterseg.data.shard_index import ENCODINGS
    from keras_fasterseg.jobs.convert_dataset import ConversionSettings, convert_dataset
    from keras_fasterseg.latency.median_interval import median_interval

    sources = {FILES: source, NUMPY: source}
    factors = dict.fromkeys(sources, downsample)
    for encoding in ENCODINGS:
        target = folder / f"{name.replace(' ', '_')}_{downsample}_{encoding}"
        settings = ConversionSettings(splits="train", downsample=downsample, encoding=encoding)
        sources[encoding] = convert_dataset(source, source.name, target, settings)
        factors[encoding] = 1
    samples = {kind: each.samples("train")[: IMAGES.value] for kind, each in sources.items()}
    height, width = (side // downsample for side in source.read_size(samples[FILES][0]))
    # Half of each side, as in the paper's trainings on Cityscapes.
    crop = (max(height // 64, 2) * 32, max(width // 64, 2) * 32)

    def make(kind: str) -> Any:
        settings = TrainingPipeline(BATCH_SIZE.value, crop, downsample=factors[kind])
        module = numpy_pipeline if kind == NUMPY else pipeline
        return module.training_dataset(samples[kind], sources[kind], settings)

    turns: dict[str, list[dict[str, float]]] = {kind: [] for kind in sources}
    # The first round does not count: it fills the page cache.
    for number in range(ROUNDS.value + 1):
        for kind, each in sources.items():
            _drop(_files(each, samples[kind]))
            turn = _turn(make(kind))
            turn["read_ms"] = _read_ms(each, samples[kind], factors[kind])
            if number:
                turns[kind].append(turn)

    def all_of(kind: str, key: str) -> list[float]:
        return [turn[key] for turn in turns[kind]]

    results = []
    for kind, each in sources.items():
        faster = _quotients(all_of(kind, "images_per_second"), all_of(FILES, "images_per_second"))
        cheaper = _quotients(all_of(FILES, "cpu_ms"), all_of(kind, "cpu_ms"))
        size = sum(path.stat().st_size for path in _files(each, each.samples("train")))
        results.append(
            {
                "images": name,
                "downsample": downsample,
                "stored_as": kind,
                "megabytes_per_image": size / 1e6 / len(each.samples("train")),
                "crop_size": list(crop),
                "read_ms": statistics.median(all_of(kind, "read_ms")),
                "cpu_ms": statistics.median(all_of(kind, "cpu_ms")),
                "times_files_by_cpu": statistics.median(cheaper),
                "times_files_by_cpu_interval": median_interval(cheaper),
                "images_per_second": statistics.median(all_of(kind, "images_per_second")),
                "times_files": statistics.median(faster),
                "times_files_interval": median_interval(faster),
            }
        )
    return results


def _files(source, samples) -> list[pathlib.Path]:
    """All files that reading `samples` opens."""
    shards = {sample.shard for sample in samples if hasattr(sample, "shard")}
    return sorted(shards) or [path for each in samples for path in (each.image, each.label)]


def _drop(files: list[pathlib.Path]) -> None:
    if not COLD.value:
        return
    for path in files:
        with open(path, "rb") as file:
            # Pages that are not on disk yet cannot be dropped.
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _turn(dataset) -> dict[str, float]:
    """Speed of the pipeline with a new iterator."""
    with contextlib.ExitStack() as stack:
        batches = iter(dataset)
        if isinstance(batches, types.GeneratorType):
            # Ends its processes.
            stack.enter_context(contextlib.closing(batches))
        # Its threads and buffers start empty.
        for _ in range(2):
            next(batches)
        start, cpu_start = time.perf_counter(), _cpu_seconds()
        for _ in range(BATCHES.value):
            next(batches)
        seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - cpu_start
    count = BATCH_SIZE.value * BATCHES.value
    return {"images_per_second": count / seconds, "cpu_ms": 1000 * cpu_seconds / count}


def _cpu_seconds() -> float:
    """Processor time of this process and of its processes."""
    times = (child.cpu_times() for child in psutil.Process().children())
    return time.process_time() + sum(each.user + each.system for each in times)


def _read_ms(source, samples, downsample: int) -> float:
    """Processor time of reading a sample, in milliseconds."""
    start = time.thread_time()
    for sample in samples:
        source.read(sample, downsample=downsample)
    return 1000 * (time.thread_time() - start) / len(samples)


def _quotients(dividends: list[float], divisors: list[float]) -> list[float]:
    return [one / other for one, other in zip(dividends, divisors, strict=True)]


def _row(result: dict) -> tuple[str, ...]:
    return (
        result["images"],
        str(result["downsample"]),
        result["stored_as"],
        f"{result['megabytes_per_image']:.2f}",
        f"{result['read_ms']:.1f}",
        f"{result['cpu_ms']:.1f}",
        _with_interval(result, "times_files_by_cpu"),
        f"{result['images_per_second']:.1f}",
        _with_interval(result, "times_files"),
    )


def _with_interval(result: dict, key: str) -> str:
    low, high = result[f"{key}_interval"]
    return f"{result[key]:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    command.run(main)
