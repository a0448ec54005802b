"""Scores and speed of networks of video object segmentation, beside two free baselines.

    python -m tools.benchmarks.video_objects --networks=attention=RUN/video/network.keras \\
        --data_dir=RUN/videos --sizes=128x224,480x864 --output=video.json

Scores: J and F of a split whose objects are followed from the masks of the first frames, with and
without embeddings. Baselines: the first mask copied to all frames; connected components of the
first network's foreground, matched by IoU. Speed: the network alone (runtimes in turns), and the
loop of resizing, network and tracker, frame by frame, at the sizes given; the weights are those of
the first network at every size.
"""

from tools import command  # isort: skip

import dataclasses
import itertools
import pathlib
import tempfile
from typing import Any

import numpy as np
import tabulate
from absl import flags, logging

from flags import settings_flags
from keras_fasterseg.files import write_json

NETWORKS = flags.DEFINE_list(
    "networks", None, "NAME=network.keras of each network, comma separated.", required=True
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of videos in the layout of DAVIS 2017.", required=True
)
SPLIT = flags.DEFINE_string("split", "val", "Split to score.")
SIZES = flags.DEFINE_list(
    "sizes", [], "Sizes of the network's images to time, HEIGHTxWIDTH. Default: its own."
)
FRAMES = flags.DEFINE_integer("frames", 40, "Timed frames per size and runtime.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write.", required=True)
SHEET = flags.DEFINE_string(
    "sheet", None, "Picture to write: frames of some sequences, with true and followed objects."
)
flags.adopt_module_key_flags(settings_flags)

_SHEET_ROWS, _SHEET_COLUMNS = 5, 5
# Frames of DAVIS; networks of about their size are timed on them, others on frames as stored.
_FRAME = (480, 854)


def main() -> None:
    from keras_fasterseg.benchmark.environment import describe_environment
    from keras_fasterseg.benchmark.harness import HARNESS_VERSION
    from keras_fasterseg.jobs.train_video import check_scored
    from keras_fasterseg.run.object_networks import load_object_network
    from keras_fasterseg.video_objects.davis import Davis

    networks = dict(_named(each) for each in NETWORKS.value)
    loaded = {name: load_object_network(path) for name, path in networks.items()}
    davis = Davis(DATA_DIR.value or "")
    check_scored(davis, SPLIT.value)
    sequences = davis.sequences(SPLIT.value)
    first = next(iter(loaded.values()))
    parser = settings_flags.SizeParser()
    # Made first: a wrong size ends here, not after the scores.
    timed = [first.resized(parser.parse(each)) for each in SIZES.value] or [first]
    scores = _scores(loaded, davis)
    speed = [row for each in timed for row in _speed(each, davis, sequences[0])]
    for title, rows in (("Scores", scores), ("Speed", speed)):
        print(f"{title}\n{tabulate.tabulate(rows, headers='keys', floatfmt='.2f')}\n")
    result = {
        "scores": scores,
        "speed": speed,
        "split": SPLIT.value,
        "sequences": len(sequences),
        "frames": sum(len(each.frames) for each in sequences),
        "genotype": first.genotype.id,
        "parameters": first.count_params(),
        "harness_version": HARNESS_VERSION,
        "environment": describe_environment(),
        "command": command.line(),
    }
    write_json(OUTPUT.value, result)
    if SHEET.value is not None:
        _draw_sheet(first, davis, sequences)


def _draw_sheet(network, davis, sequences) -> None:
    """Two rows per sequence, above the truth, below the followed objects."""
    from PIL import Image

    from keras_fasterseg.files import atomic_path
    from keras_fasterseg.jobs.tracked_videos import overlay
    from keras_fasterseg.video_objects.object_runner import FollowedVideo, KerasObjectRunner
    from keras_fasterseg.visualization.prediction_grid import prediction_grid

    runner, rows = KerasObjectRunner(network), []
    names: list[str] = []
    for sequence in sequences[:: max(1, len(sequences) // _SHEET_ROWS)][:_SHEET_ROWS]:
        frames = [davis.read_frame(path) for path in sequence.frames]
        truths = [davis.read_mask(path) for path in sequence.masks]
        followed = list(FollowedVideo(runner, frames, truths[0]))
        shown = np.linspace(0, len(frames) - 1, _SHEET_COLUMNS).round().astype(int).tolist()
        names = [f"frame {number}" for number in shown]
        rows += [
            [Image.fromarray(overlay(frames[number], ids[number], 0.6)) for number in shown]
            for ids in (truths, followed)
        ]
    with atomic_path(SHEET.value or "") as path:
        Image.fromarray(prediction_grid(rows, names)).save(path)


def _named(text: str) -> tuple[str, pathlib.Path]:
    name, equal, path = text.partition("=")
    if not (name and equal and path):
        raise ValueError(f"--networks needs entries of the form NAME=PATH. Received: {text!r}")
    return name, pathlib.Path(path)


def _scores(networks: dict[str, Any], davis) -> list[dict[str, Any]]:
    from keras_fasterseg.jobs.train_video import follow_split
    from keras_fasterseg.video_objects.baselines import ComponentRunner, first_mask_copied
    from keras_fasterseg.video_objects.object_runner import KerasObjectRunner
    from keras_fasterseg.video_objects.scores import VideoScores, score_sequence
    from keras_fasterseg.video_objects.tracker import TrackerOptions

    masks_alone = TrackerOptions(embeddings=False)
    runners = {name: KerasObjectRunner(network) for name, network in networks.items()}
    copied = {}
    for sequence in davis.sequences(SPLIT.value):
        truths = [davis.read_mask(path) for path in sequence.masks if path is not None]
        copied[sequence.name] = score_sequence(first_mask_copied(truths, truths[0]), truths)
    found = {"first mask copied": VideoScores(copied)}
    components = ComponentRunner(next(iter(runners.values())))
    logging.info("Scoring the baselines ...")
    found["foreground components, IoU"] = follow_split(
        components, davis, SPLIT.value, options=masks_alone
    )
    for name, runner in runners.items():
        logging.info("Scoring %s ...", name)
        found[f"{name}, without embeddings"] = follow_split(
            runner, davis, SPLIT.value, options=masks_alone
        )
        found[name] = follow_split(runner, davis, SPLIT.value)
    return [
        {
            "method": name,
            "J&F": 100 * scores.j_and_f,
            **{f"J {key}": 100 * value for key, value in dataclasses.asdict(scores.j).items()},
            **{f"F {key}": 100 * value for key, value in dataclasses.asdict(scores.f).items()},
        }
        for name, scores in found.items()
    ]


def _speed(network, davis, sequence) -> list[dict[str, Any]]:
    from keras_fasterseg.benchmark.harness import PAUSE_MS, SETTLE_MS
    from keras_fasterseg.benchmark.statistics import TimeStatistics
    from keras_fasterseg.benchmark.timing import measure_in_turns
    from keras_fasterseg.export.object_export import FORMATS, export_objects
    from keras_fasterseg.video_objects.exported_objects import open_exported_objects
    from keras_fasterseg.video_objects.object_runner import FollowedVideo, KerasObjectRunner

    height, width = network.input_size
    shape = _FRAME if height > _FRAME[0] // 2 else None
    frames = [_enlarged(davis.read_frame(path), shape) for path in sequence.frames]
    mask = _enlarged(davis.read_mask(sequence.masks[0]), shape)
    rows = []
    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        runners: dict[str, Any] = {"keras": KerasObjectRunner(network)}
        for format in FORMATS:
            path = export_objects(network, pathlib.Path(folder) / format, format)
            runners[str(format)] = open_exported_objects(path)
        images = runners["keras"].resized(frames[0])[None]
        seconds = measure_in_turns(
            {name: lambda runner=runner: runner.infer(images) for name, runner in runners.items()},
            warmup=5,
            warmup_seconds=0.0,
            min_repetitions=FRAMES.value,
            min_seconds=0.0,
            pause_seconds=1e-3 * PAUSE_MS,
            settle_seconds=1e-3 * SETTLE_MS,
            description=f"Network at {height}x{width}",
        )
        for name, runner in runners.items():
            stream = itertools.islice(itertools.cycle(frames), FRAMES.value + 1)
            followed = FollowedVideo(runner, stream, mask)
            for _ in followed:
                pass
            pairs = zip(followed.network_seconds, followed.tracker_seconds, strict=True)
            loop = [network + tracker for network, tracker in pairs][1:]
            alone, whole, tracker = (
                TimeStatistics.from_seconds(each).p50_ms
                for each in (seconds[name], loop, followed.tracker_seconds[1:])
            )
            facts = runner.describe()
            rows.append(
                {
                    "size": f"{height}x{width}",
                    "frames": "x".join(map(str, mask.shape)),
                    "runtime": name,
                    "threads": facts["threads"],
                    "network ms": alone,
                    "loop ms": whole,
                    "tracker ms": tracker,
                    "network FPS": 1000 / alone,
                    "loop FPS": 1000 / whole,
                }
            )
    return rows


def _enlarged(values: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """The frame or mask at another size; as stored without one."""
    from PIL import Image

    if size is None:
        return values
    kind = Image.Resampling.BILINEAR if values.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(values).resize((size[1], size[0]), kind))


if __name__ == "__main__":
    command.run(main)
