"""Tracking of rectangles with known embeddings."""

import dataclasses
import math

import numpy as np
import pytest

from keras_fasterseg.video_objects.davis import VOID
from keras_fasterseg.video_objects.proposals import Proposals
from keras_fasterseg.video_objects.tracker import Tracker, TrackerOptions

SIZE = (24, 40)
CHANNELS = 4
EMPTY = np.zeros(SIZE, np.uint8)


def one_hot(channel: int) -> np.ndarray:
    return np.eye(CHANNELS, dtype=np.float32)[channel]


def turned(degrees: float) -> np.ndarray:
    """A unit vector at an angle to the first channel, towards the second."""
    angle = math.radians(degrees)
    return (math.cos(angle) * one_hot(0) + math.sin(angle) * one_hot(1)).astype(np.float32)


def rectangle(top: int, left: int, height: int = 8, width: int = 8) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def thing(mask: np.ndarray, embedding, score: float = 0.9, probability: float = 0.9):
    """An object as a network proposes it."""
    embedding = one_hot(embedding) if isinstance(embedding, int) else embedding
    return mask * np.float32(probability), embedding, score


def proposals_of(*things) -> Proposals:
    """Proposals, and an embedding map that has their embeddings under their masks."""
    embedding_map = np.zeros((SIZE[0] // 4, SIZE[1] // 4, CHANNELS), np.float32)
    for mask, embedding, _ in things:
        embedding_map[mask[::4, ::4] > 0] = embedding
    return Proposals(
        np.array([each[2] for each in things], np.float32),
        np.array([each[0] for each in things], np.float32).reshape(-1, *SIZE),
        np.array([each[1] for each in things], np.float32).reshape(-1, CHANNELS),
        embedding_map,
    )


def ids_of(**masks: np.ndarray) -> np.ndarray:
    """Ids of masks that are named by a letter and their id, such as `_3`; later ones on top."""
    ids = np.zeros(SIZE, np.uint8)
    for name, mask in masks.items():
        ids[mask] = int(name[1:])
    return ids


def started(*things, options: TrackerOptions | None = None) -> Tracker:
    """A tracker of objects with the ids 1, 2 and so on."""
    tracker = Tracker(options)
    ids = np.zeros(SIZE, np.uint8)
    for number, (mask, _, _) in enumerate(things, 1):
        ids[mask > 0] = number
    tracker.start(proposals_of(*things), ids)
    return tracker


def frames_of_two(seed: int) -> list[Proposals]:
    """Two objects that move, with noisy embeddings, and a third proposal in some frames."""
    rng = np.random.default_rng(seed)
    frames = []
    for time in range(6):
        noisy = [one_hot(each) + 0.2 * rng.standard_normal(CHANNELS) for each in (0, 1)]
        noisy = [each / np.linalg.norm(each) for each in noisy]
        things = [
            thing(rectangle(4, 4 * time), noisy[0], rng.uniform(0.4, 1)),
            thing(rectangle(12, 28 - 4 * time), noisy[1], rng.uniform(0.4, 1)),
        ]
        if rng.random() < 0.5:
            things.append(thing(rectangle(0, 30, 6, 6), one_hot(3), rng.uniform(0.4, 1)))
        frames.append(proposals_of(*things))
    return frames


def permuted(proposals: Proposals, rng: np.random.Generator) -> Proposals:
    order = rng.permutation(len(proposals.scores))
    return Proposals(
        proposals.scores[order],
        proposals.masks[order],
        proposals.embeddings[order],
        proposals.embedding_map,
    )


def test_start_takes_the_ids_and_drops_void():
    one, other = rectangle(0, 0), rectangle(12, 20)
    proposals = proposals_of(thing(one, 0), thing(other, 2))
    ids = ids_of(_3=one, _7=other, _255=rectangle(0, 32))
    before = ids.copy()
    tracker = Tracker()
    result = tracker.start(proposals, ids)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, ids_of(_3=one, _7=other))
    np.testing.assert_array_equal(ids, before)
    assert sorted(tracker.templates) == [3, 7]
    np.testing.assert_array_equal(tracker.templates[7].mask, other)
    np.testing.assert_allclose(tracker.templates[7].embedding, one_hot(2), atol=1e-6)


@pytest.mark.parametrize("value", [0, VOID])
def test_start_without_objects(value):
    with pytest.raises(ValueError, match="shows no object"):
        Tracker().start(proposals_of(), np.full(SIZE, value, np.uint8))


def test_start_with_a_mask_of_another_size():
    with pytest.raises(ValueError, match=r"Received: mask 40x24, frame 24x40"):
        Tracker().start(proposals_of(), np.ones(SIZE[::-1], np.uint8))


def test_a_moving_object_keeps_its_id():
    tracker = started(thing(rectangle(0, 0), 0), thing(rectangle(12, 30), 1))
    one, other = rectangle(2, 3), rectangle(11, 26)
    ids = tracker.update(proposals_of(thing(other, 1), thing(one, 0)))
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, ids_of(_1=one, _2=other))


@pytest.mark.parametrize("given", [True, False])
def test_ids_do_not_depend_on_later_frames(given):
    frames, others = frames_of_two(0), frames_of_two(9)
    first = ids_of(_1=rectangle(4, 0), _2=rectangle(12, 28))

    def run(sequence):
        tracker = Tracker()
        if given:
            return [tracker.start(sequence[0], first), *map(tracker.update, sequence[1:])]
        return list(map(tracker.update, sequence))

    whole = run(frames)
    for length in range(1, 6):
        mixed = run(frames[:length] + others[length:])
        np.testing.assert_array_equal(mixed[:length], whole[:length])
        np.testing.assert_array_equal(run(frames[:length]), whole[:length])


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_order_of_proposals_does_not_matter(seed, given):
    rng = np.random.default_rng(seed)
    trackers = Tracker(), Tracker()
    first, *frames = frames_of_two(seed)
    if given:
        for tracker in trackers:
            tracker.start(first, ids_of(_1=rectangle(4, 0), _2=rectangle(12, 28)))
    for proposals in frames:
        expected = trackers[0].update(proposals)
        assert expected.any()
        np.testing.assert_array_equal(trackers[1].update(permuted(proposals, rng)), expected)


def test_a_returning_object_gets_its_old_id():
    tracker = started(thing(rectangle(0, 0), 0), thing(rectangle(12, 30), 1))
    stays, back = thing(rectangle(0, 1), 0), rectangle(0, 28)
    for _ in range(3):
        np.testing.assert_array_equal(tracker.update(proposals_of(stays)), ids_of(_1=stays[0] > 0))
    # It returns elsewhere: the overlap with its last mask is 0, and .7 * 1 is enough.
    ids = tracker.update(proposals_of(thing(back, 1), stays))
    np.testing.assert_array_equal(ids, ids_of(_1=stays[0] > 0, _2=back))


def test_an_object_with_another_embedding_elsewhere_is_not_found():
    tracker = started(thing(rectangle(0, 0), 0))
    assert not tracker.update(proposals_of(thing(rectangle(0, 28), 1))).any()


def test_embeddings_tell_exchanged_objects_apart():
    one, other = rectangle(0, 0), rectangle(12, 30)
    exchanged = proposals_of(thing(other, 0), thing(one, 1))
    ids = started(thing(one, 0), thing(other, 1)).update(exchanged)
    np.testing.assert_array_equal(ids, ids_of(_1=other, _2=one))


def test_without_embeddings_only_overlaps_count():
    one, other = rectangle(0, 0), rectangle(12, 30)
    exchanged = proposals_of(thing(other, 0), thing(one, 1))
    options = TrackerOptions(embeddings=False)
    ids = started(thing(one, 0), thing(other, 1), options=options).update(exchanged)
    np.testing.assert_array_equal(ids, ids_of(_1=one, _2=other))


def test_without_embeddings_crossing_objects_are_followed_by_overlap():
    """Two objects pass each other in rows that overlap by half; embeddings would exchange them."""
    options = TrackerOptions(embeddings=False)
    places = [(rectangle(4, left), rectangle(8, 32 - left)) for left in range(0, 33, 2)]
    tracker = started(*(thing(each, 0) for each in places[0]), options=options)
    for upper, lower in places[1:]:
        # Where both cover a pixel, the lower object is more probable.
        things = thing(lower, 1, probability=0.95), thing(upper, 1)
        ids = tracker.update(proposals_of(*things))
        np.testing.assert_array_equal(ids, ids_of(_1=upper, _2=lower))


@pytest.mark.parametrize(
    ("degrees", "moves"), [(0, True), (30, True), (45, True), (46, False), (60, False), (90, False)]
)
def test_templates_move_only_towards_similar_embeddings(degrees, moves):
    mask = rectangle(8, 8)
    tracker = started(thing(mask, 0))
    # With the full overlap, a cosine of 1 / 7 is enough for a match.
    proposals = proposals_of(thing(rectangle(8, 9, 8, 7), turned(degrees)))
    found = tracker.update(proposals).any()
    assert found == (0.7 * math.cos(math.radians(degrees)) + 0.3 * 7 / 8 >= 0.4)
    expected = 0.9 * one_hot(0) + 0.1 * turned(degrees) if moves else one_hot(0)
    expected = expected / np.linalg.norm(expected)
    np.testing.assert_allclose(tracker.templates[1].embedding, expected, atol=1e-6)
    if found:
        np.testing.assert_array_equal(tracker.templates[1].mask, rectangle(8, 9, 8, 7))


def test_momentum_and_limit_are_options():
    options = TrackerOptions(momentum=0.5, update_cosine=0.4)
    tracker = started(thing(rectangle(8, 8), 0), options=options)
    tracker.update(proposals_of(thing(rectangle(8, 8), turned(60))))
    np.testing.assert_allclose(tracker.templates[1].embedding, turned(30), atol=1e-6)


@pytest.mark.parametrize("first_wins", [True, False])
def test_overlaps_go_to_the_more_probable_mask(first_wins):
    one, other = rectangle(4, 4, 10, 12), rectangle(8, 10, 10, 12)
    tracker = started(thing(rectangle(0, 0), 0), thing(rectangle(12, 30), 1))
    values = (0.9, 0.8) if first_wins else (0.6, 0.8)
    things = thing(one, 0, probability=values[0]), thing(other, 1, probability=values[1])
    expected = ids_of(_2=other, _1=one) if first_wins else ids_of(_1=one, _2=other)
    np.testing.assert_array_equal(tracker.update(proposals_of(*things)), expected)


def test_of_equal_probabilities_the_lower_id_wins():
    one, other = rectangle(4, 4, 10, 12), rectangle(8, 10, 10, 12)
    tracker = started(thing(rectangle(0, 0), 0), thing(rectangle(12, 30), 1))
    ids = tracker.update(proposals_of(thing(other, 1), thing(one, 0)))
    np.testing.assert_array_equal(ids, ids_of(_2=other, _1=one))


@pytest.mark.parametrize(("probability", "shown"), [(0.5, True), (0.49, False)])
def test_pixels_below_one_half_are_background(probability, shown):
    tracker = started(thing(rectangle(0, 0), 0))
    ids = tracker.update(proposals_of(thing(rectangle(0, 0), 0, probability=probability)))
    np.testing.assert_array_equal(ids > 0, rectangle(0, 0) & shown)


def test_given_masks_admit_no_new_objects():
    tracker = started(thing(rectangle(0, 0), 0))
    new = thing(rectangle(12, 20), 1, score=1.0)
    ids = tracker.update(proposals_of(thing(rectangle(0, 0), 0), new))
    np.testing.assert_array_equal(ids, ids_of(_1=rectangle(0, 0)))
    assert sorted(tracker.templates) == [1]


def test_without_masks_likely_proposals_become_objects():
    tracker = Tracker()
    one, other = rectangle(0, 0), rectangle(12, 20)
    unlikely = thing(rectangle(0, 30), 2, score=0.49)
    things = thing(other, 1, score=0.5), thing(one, 0, score=0.8), unlikely
    # Ids fall with the score.
    np.testing.assert_array_equal(tracker.update(proposals_of(*things)), ids_of(_1=one, _2=other))
    np.testing.assert_allclose(tracker.templates[2].embedding, one_hot(1))


def test_a_single_proposal_becomes_an_object():
    mask = rectangle(4, 4)
    np.testing.assert_array_equal(Tracker().update(proposals_of(thing(mask, 0))), ids_of(_1=mask))


def test_new_objects_appear_in_later_frames():
    tracker = Tracker()
    one, other = rectangle(0, 0), rectangle(12, 20)
    assert not tracker.update(proposals_of()).any()
    np.testing.assert_array_equal(tracker.update(proposals_of(thing(one, 0))), ids_of(_1=one))
    ids = tracker.update(proposals_of(thing(other, 1), thing(one, 0)))
    np.testing.assert_array_equal(ids, ids_of(_1=one, _2=other))


# Overlaps of 5 / 11 and 3 / 13.
@pytest.mark.parametrize(("shift", "is_new"), [(3, False), (5, True)])
def test_no_new_object_on_top_of_a_matched_one(shift, is_new):
    tracker = Tracker()
    mask, near = rectangle(4, 4), rectangle(4, 4 + shift)
    tracker.update(proposals_of(thing(mask, 0)))
    ids = tracker.update(proposals_of(thing(mask, 0), thing(near, 1, probability=0.95)))
    np.testing.assert_array_equal(ids, ids_of(_1=mask, _2=near) if is_new else ids_of(_1=mask))


def test_of_two_new_proposals_on_one_place_the_likelier_stays():
    one, near = rectangle(4, 4), rectangle(4, 6)
    things = thing(near, 1, score=0.7), thing(one, 0, score=0.8)
    np.testing.assert_array_equal(Tracker().update(proposals_of(*things)), ids_of(_1=one))


def test_a_proposal_without_pixels_is_no_new_object():
    tracker = Tracker()
    faint = thing(rectangle(4, 4), 0, score=1.0, probability=0.4)
    assert not tracker.update(proposals_of(faint)).any()
    assert tracker.templates == {}


def test_ids_never_reach_void():
    tracker = Tracker()
    first = ids_of(_254=rectangle(0, 0))
    tracker.start(proposals_of(thing(rectangle(0, 0), 0)), first)
    tracker._follows_given = False
    things = thing(rectangle(0, 0), 0), thing(rectangle(12, 20), 1)
    np.testing.assert_array_equal(tracker.update(proposals_of(*things)), first)


@pytest.mark.parametrize("given", [True, False])
def test_an_empty_frame_keeps_the_templates(given):
    mask = rectangle(0, 0)
    tracker = started(thing(mask, 0)) if given else Tracker()
    if not given:
        tracker.update(proposals_of(thing(mask, 0)))
    ids = tracker.update(proposals_of())
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, EMPTY)
    np.testing.assert_array_equal(tracker.templates[1].mask, mask)
    np.testing.assert_array_equal(tracker.update(proposals_of(thing(mask, 0))), ids_of(_1=mask))


def test_a_new_start_forgets_earlier_objects():
    tracker = started(thing(rectangle(0, 0), 0), thing(rectangle(12, 30), 1))
    tracker.start(proposals_of(thing(rectangle(4, 4), 2)), ids_of(_9=rectangle(4, 4)))
    assert sorted(tracker.templates) == [9]


def test_an_object_too_small_to_be_described_is_followed_by_its_mask():
    place = rectangle(2, 2)
    first = proposals_of(thing(place, 0))
    tracker = Tracker()
    unknown = dataclasses.replace(first, embedding_map=0 * first.embedding_map)
    tracker.start(unknown, ids_of(_1=place))
    assert not tracker.templates[1].embedding.any()
    moved = rectangle(3, 2)
    ids = tracker.update(proposals_of(thing(moved, 2), thing(rectangle(12, 20), 0)))
    np.testing.assert_array_equal(ids, ids_of(_1=moved))
    np.testing.assert_array_equal(tracker.templates[1].embedding, one_hot(2))


def test_an_object_that_is_gone_for_long_is_forgotten_unless_it_was_given():
    options = TrackerOptions(memory=2)
    other = proposals_of(thing(rectangle(12, 20), 1))
    for given in (False, True):
        here = proposals_of(thing(rectangle(0, 0), 0))
        tracker = Tracker(options)
        if given:
            tracker.start(here, ids_of(_1=rectangle(0, 0)))
        else:
            tracker.update(here)
        for _ in range(3):
            tracker.update(other)
        assert (1 in tracker.templates) == given
        # A forgotten id is not given to another object.
        ids = tracker.update(here)
        assert ids.max() == (1 if given else 3)
