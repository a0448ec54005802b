"""Follows objects from frame to frame with templates; it never looks ahead."""

import dataclasses

import numpy as np
from absl import logging

from keras_fasterseg.video_objects.davis import BACKGROUND, VOID
from keras_fasterseg.video_objects.matching import (
    LEAST_OVERLAP,
    LEAST_SIMILARITY,
    mask_overlaps,
    match,
    similarities,
)
from keras_fasterseg.video_objects.proposals import Proposals

_LARGEST_ID = VOID - 1


@dataclasses.dataclass
class Template:
    """Memory of one object.

    Attributes:
        embedding: Moving average of its embeddings, of length 1; zero if it is not known yet.
        mask: Its last mask, bool `(height, width)`.
        seen: Number of the frame in which it was last found.
    """

    embedding: np.ndarray
    mask: np.ndarray
    seen: int = 0


@dataclasses.dataclass(frozen=True)
class TrackerOptions:
    """Constants of the tracker; all are our choices.

    Attributes:
        embeddings: Whether embeddings are compared; without them, only masks are.
        momentum: Share of a template's embedding that an update keeps.
        update_cosine: A template's embedding is updated if the cosine with it is at least this.
        new_score: Score from which an unmatched proposal becomes a new object.
        new_overlap: An unmatched proposal is no new object if its IoU with a matched one is above.
        memory: Frames after which an object that is not found is forgotten. Objects of a first
            mask are never forgotten.
    """

    embeddings: bool = True
    momentum: float = 0.9
    update_cosine: float = 0.7
    new_score: float = 0.5
    new_overlap: float = 0.3
    memory: int = 100


class Tracker:
    """Assigns ids to the objects of a video, frame by frame.

    With masks for the first frame, exactly their objects are followed. Without them, proposals
    with a high score become objects, in every frame. An object that is not found keeps its
    template, and may be found again later.

    Args:
        options: Constants.

    Attributes:
        templates: The objects by id.
    """

    def __init__(self, options: TrackerOptions | None = None) -> None:
        self.options = options or TrackerOptions()
        self.templates: dict[int, Template] = {}
        self._follows_given = False
        self._frame = 0
        self._last_id = 0

    def start(self, proposals: Proposals, ids: np.ndarray) -> np.ndarray:
        """Takes the objects of the first frame from its mask.

        Args:
            proposals: Proposals of the first frame; their embedding map describes the objects.
            ids: uint8 `(height, width)` of the size of the frame; 0 background, 255 void.

        Returns:
            `ids` with background instead of void.

        Raises:
            ValueError: The mask shows no object, or has another size than the frame.
        """
        numbers = [int(each) for each in np.unique(ids) if each not in (BACKGROUND, VOID)]
        if not numbers:
            raise ValueError("The mask of the first frame shows no object.")
        if proposals.masks.shape[1:] != ids.shape:
            raise ValueError(
                "The mask of the first frame must have its size. Received: mask "
                f"{ids.shape[0]}x{ids.shape[1]}, frame "
                f"{'x'.join(map(str, proposals.masks.shape[1:]))}"
            )
        self._follows_given = True
        self._last_id = numbers[-1]
        self.templates = {
            number: Template(proposals.embedding_of(ids == number), ids == number)
            for number in numbers
        }
        return np.where(ids == VOID, BACKGROUND, ids).astype(np.uint8)

    def update(self, proposals: Proposals) -> np.ndarray:
        """Finds the objects among the proposals of the next frame.

        Returns:
            uint8 ids `(height, width)`: where masks overlap, the most probable object; 0 where no
            mask has a probability of at least one half.
        """
        self._frame += 1
        masks = proposals.masks >= 0.5
        found = self._matched(proposals, masks)
        if not self._follows_given:
            found |= self._new(proposals, masks, set(found.values()))
        ids = _combined(found, proposals.masks)
        for number, place in found.items():
            self._remember(number, proposals.embeddings[place], masks[place])
        if not self._follows_given:
            oldest = self._frame - self.options.memory
            self.templates = {
                number: each for number, each in self.templates.items() if each.seen >= oldest
            }
        return ids

    def _matched(self, proposals: Proposals, masks: np.ndarray) -> dict[int, int]:
        """Index of the proposal of each object that is found."""
        if not self.templates or not len(proposals.scores):
            return {}
        numbers = sorted(self.templates)
        templates = [self.templates[number] for number in numbers]
        overlaps = mask_overlaps(np.stack([each.mask for each in templates]), masks)
        if self.options.embeddings:
            embeddings = np.stack([each.embedding for each in templates])
            known = embeddings.any(axis=1, keepdims=True)
            # Without an embedding, masks alone are compared.
            cosines = np.where(known, embeddings @ proposals.embeddings.T, overlaps)
            pairs = match(similarities(cosines, overlaps), LEAST_SIMILARITY)
        else:
            pairs = match(overlaps, LEAST_OVERLAP)
        return {numbers[row]: column for row, column in pairs}

    def _new(self, proposals: Proposals, masks: np.ndarray, taken: set[int]) -> dict[int, int]:
        new: dict[int, int] = {}
        for place in np.argsort(-proposals.scores, kind="stable"):
            place = int(place)
            if place in taken or proposals.scores[place] < self.options.new_score:
                continue
            if not masks[place].any():
                continue
            others = sorted({*taken, *new.values()})
            overlaps = mask_overlaps(masks[place][None], masks[others])
            if others and overlaps.max() > self.options.new_overlap:
                continue
            if self._last_id == _LARGEST_ID:
                logging.log_first_n(
                    logging.WARNING,
                    "More than %d objects were found; further ones are left out.",
                    1,
                    _LARGEST_ID,
                )
                break
            self._last_id += 1
            new[self._last_id] = place
        return new

    def _remember(self, number: int, embedding: np.ndarray, mask: np.ndarray) -> None:
        template = self.templates.get(number)
        if template is None:
            self.templates[number] = Template(embedding, mask, self._frame)
            return
        template.mask, template.seen = mask, self._frame
        if not template.embedding.any():
            # The first mask was too small to be described.
            template.embedding = embedding
        elif float(template.embedding @ embedding) >= self.options.update_cosine:
            share = self.options.momentum
            moved = share * template.embedding + (1 - share) * embedding
            template.embedding = moved / max(float(np.linalg.norm(moved)), 1e-6)


def _combined(found: dict[int, int], masks: np.ndarray) -> np.ndarray:
    """Ids by the largest probability; of equal ones, the lower id."""
    ids = np.zeros(masks.shape[1:], np.uint8)
    best = np.zeros(masks.shape[1:], np.float32)
    for number, place in sorted(found.items()):
        better = (masks[place] >= 0.5) & (masks[place] > best)
        ids[better], best[better] = number, masks[place][better]
    return ids
