"""Job: score the masks of video object segmentation on a split of DAVIS 2017."""

import dataclasses
import pathlib
from typing import Any

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_size
from keras_fasterseg.files import PathLike
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.video_objects.davis import Davis, VideoSequence
from keras_fasterseg.video_objects.scores import (
    FEWEST_FRAMES,
    SequenceScores,
    VideoScores,
    score_sequence,
)
from keras_fasterseg.wording import counted, few


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """Scores of masks on a split.

    Attributes:
        split: Name of the split.
        results: Folder of the masks.
        scores: J and F of every object.
    """

    split: str
    results: pathlib.Path
    scores: VideoScores

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON values; scores are in [0, 1]."""
        return {"split": self.split, "results": str(self.results), **self.scores.to_json()}

    def text(self) -> str:
        """Formats the report as a table in percent and a sentence."""
        objects = counted(self.scores.num_objects, "object")
        sequences = counted(len(self.scores.sequences), "sequence")
        return (
            f"{self.scores.table()}\n\n"
            f"J&F {100 * self.scores.j_and_f:.2f} %, {objects} in {sequences} of {self.split}"
        )


def evaluate_video(
    results: PathLike, davis: Davis, split: str, progress: bool = True
) -> VideoReport:
    """Scores the masks `results/SEQUENCE/00000.png` and so on, one for every mask of `split`.

    Args:
        results: Folder of the masks, PNG files with a palette or 8-bit grey. Their names are those
            of the frames. Other files do not count.
        davis: The data set.
        split: The split to score.
        progress: Whether to show a progress bar.

    Raises:
        DataError: A sequence or a mask is missing, faulty, of another size than its truth or with
            ids that its sequence does not have, or the split has too few masks to compare with.
    """
    results = pathlib.Path(results)
    sequences = davis.sequences(split)
    pairs = {sequence.name: _pairs(results, sequence, split) for sequence in sequences}
    return VideoReport(
        split,
        results,
        VideoScores(
            {
                name: _scores(files, davis)
                for name, files in progress_bar(
                    pairs.items(), "evaluate", unit="sequence", show=progress
                )
            }
        ),
    )


def _pairs(
    results: pathlib.Path, sequence: VideoSequence, split: str
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """The predicted and the true mask of every frame of a sequence that has a true one."""
    truths = [mask for mask in sequence.masks if mask is not None]
    if len(truths) < FEWEST_FRAMES:
        raise DataError(
            f"The sequence {sequence.name} of {split} has {counted(len(truths), 'true mask')}, but "
            f"scores need {FEWEST_FRAMES}, because the first and the last do not count; choose a "
            "split with all masks, such as val."
        )
    folder = results / sequence.name
    if not folder.is_dir():
        raise DataError(
            f"The folder {folder} does not exist; there must be one folder of masks for every "
            f"sequence of {split}."
        )
    pairs = [(folder / f"{truth.stem}.png", truth) for truth in truths]
    missing = [mask for mask, _ in pairs if not mask.is_file()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise DataError(
            f"{counted(len(missing), 'mask')} {verb} missing in {folder}: {few(missing)}; write "
            "one for every true mask."
        )
    for mask, truth in pairs:
        size, true_size = read_size(mask), read_size(truth)
        if size != true_size:
            raise DataError(
                f"{mask} is {_size(size)} (height x width), but the true mask {truth} is "
                f"{_size(true_size)}; write masks in the size of the data set."
            )
    return pairs


def _scores(files: list[tuple[pathlib.Path, pathlib.Path]], davis: Davis) -> SequenceScores:
    masks, truths = zip(*files, strict=True)
    try:
        return score_sequence(
            [davis.read_mask(path) for path in masks], [davis.read_mask(path) for path in truths]
        )
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"The masks in {masks[0].parent} have no score: {error}") from error


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
