"""Proofs between two runners of hand-made logits."""

import numpy as np
import pytest

from keras_fasterseg.export.proving import ProofImage, prove

SHAPE = (32, 40)


class Fixed:
    """A runner that answers each image by what was given for the value of its first byte."""

    def __init__(self, logits, outputs=("class_ids", "logits"), batch_size=None):
        self.given, self.outputs, self.batch_size = logits, outputs, batch_size
        self.seen = []

    def logits(self, images):
        self.seen.append(images[:, 0, 0, 0].tolist())
        return np.stack([self.given[image[0, 0, 0]] for image in images])

    def __call__(self, images):
        return self.logits(images).argmax(axis=-1).astype(np.uint8)


def sample(index, labels=None, shape=SHAPE, **fields):
    return ProofImage(f"{index}.png", np.full((*shape, 3), index, np.uint8), labels, **fields)


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(1, *SHAPE, 3)).astype(np.float32)


def compare(received, expected, labels=None, samples=None, **options):
    return prove(
        received,
        expected,
        samples or [sample(0, None if labels is None else labels[0])],
        of="here",
        by="a runner",
        num_classes=3,
        progress=False,
        **options,
    )


def test_labels_and_logits(logits):
    changed = logits.copy()
    changed[0, 0, :4] += [[5.0, 0.0, 0.0]]
    changed[0, 1, 0] += 0.25
    wrong = int((changed.argmax(axis=-1) != logits.argmax(axis=-1)).sum())
    assert wrong > 0
    proof = compare(Fixed(changed), Fixed(logits))
    assert proof.equal_labels == pytest.approx(1 - wrong / (32 * 40))
    assert proof.logits_difference == pytest.approx(5.0)
    assert proof.logits_size == pytest.approx(np.abs(logits).max())
    assert (proof.images, proof.of, proof.miou, proof.miou_difference) == (1, "here", None, None)


def test_miou_is_that_of_the_labels(logits):
    truth = logits.argmax(axis=-1)
    labels = truth.copy()
    labels[0, :5] = 255
    changed = logits.copy()
    # Half of what is labelled as class 1 becomes class 2.
    rows, columns = np.nonzero(labels[0] == 1)
    half = len(rows) // 2
    changed[0, rows[:half], columns[:half]] = [0.0, 0.0, 9.0]
    proof = compare(Fixed(changed), Fixed(logits), labels)
    count = [int((labels == each).sum()) for each in range(3)]
    ious = [1.0, (count[1] - half) / count[1], count[2] / (count[2] + half)]
    assert proof.miou_keras == 1.0
    assert proof.miou == pytest.approx(np.mean(ious))
    assert proof.to_json()["miou_difference"] == pytest.approx(np.mean(ious) - 1.0)


def test_an_export_without_logits_has_them_compared_of_its_twin(logits):
    ids_alone = Fixed(logits, ("class_ids",))
    assert compare(ids_alone, Fixed(logits)).logits_difference is None
    twin = Fixed(logits + 0.5, ("logits",))
    proof = compare(ids_alone, Fixed(logits), logits_runner=twin)
    assert proof.logits_difference == pytest.approx(0.5)
    # One that has nothing but logits is judged by their largest.
    assert compare(Fixed(logits, ("logits",)), Fixed(logits)).equal_labels == 1.0


@pytest.mark.parametrize(
    ("batch_size", "count", "batches"),
    [
        (1, 3, [[0], [1], [2]]),
        (4, 6, [[0, 1, 2, 3], [4, 5, 5, 5]]),
        (4, 4, [[0, 1, 2, 3]]),
        # An image alone has its mirror image beside it; these here are the same on both sides.
        (2, 1, [[0, 0], [0, 0]]),
        (None, 8, [[0, 1], [2, 3, 4], [5], [6, 7]]),
    ],
)
def test_batches_are_of_different_images_and_count_each_once(batch_size, count, batches):
    logits = np.random.default_rng(1).normal(size=(count, *SHAPE, 3)).astype(np.float32)
    changed = logits.copy()
    # One pixel of every image becomes another class.
    changed[:, 0, 0] = -logits[:, 0, 0]
    wrong = (changed.argmax(axis=-1) != logits.argmax(axis=-1)).sum()
    runner = Fixed(changed, batch_size=batch_size)
    samples = [sample(index) for index in range(count)]
    proof = compare(runner, Fixed(logits), samples=samples)
    assert runner.seen[::2] == batches
    assert proof.images == count
    assert proof.equal_labels == pytest.approx(1 - wrong / (count * 32 * 40))


@pytest.mark.parametrize(
    ("batch_size", "batches", "sizes"),
    [(None, [[0, 2], [1, 3], [4]], (1, 2)), (2, [[0, 2], [1, 3], [4, 4]], (1, 2))],
)
def test_only_images_of_one_size_share_a_batch(batch_size, batches, sizes):
    shapes = (SHAPE, (64, 40), SHAPE, (64, 40), SHAPE)
    logits = {index: np.zeros((*shape, 3)) for index, shape in enumerate(shapes)}
    runner = Fixed(logits, batch_size=batch_size)
    samples = [sample(index, shape=shape) for index, shape in enumerate(shapes)]
    proof = compare(runner, Fixed(logits), samples=samples)
    assert (proof.images, proof.batch_sizes, proof.mirrored_image) == (5, sizes, None)
    assert runner.seen[::2] == batches


class Mixing(Fixed):
    """Answers every image of a call as the first."""

    def logits(self, images):
        return np.repeat(super().logits(images)[:1], len(images), axis=0)


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("shapes", [[(32, 48), SHAPE], [SHAPE]], ids=["two_sizes", "one_image"])
def test_images_that_never_share_a_call_do_so_with_a_mirror_image(shapes, batch_size):
    def two_sided(name, left, right, shape):
        image, labels = np.full((*shape, 3), left, np.uint8), np.zeros(shape, np.uint8)
        image[:, shape[1] // 2 :] = right
        return ProofImage(name, image, labels)

    samples = [two_sided(f"{index}.png", index, 9, shape) for index, shape in enumerate(shapes)]
    last = len(samples) - 1
    logits = {index: np.eye(3)[np.zeros(shape, int)] for index, shape in enumerate(shapes)}
    logits[9] = np.eye(3)[np.ones(SHAPE, int)]
    expected, received = (kind(logits, batch_size=batch_size) for kind in (Fixed, Mixing))
    proof = compare(Fixed(logits, batch_size=batch_size), expected, samples=samples)
    assert expected.seen[-1][:2] == [last, 9]
    assert (proof.equal_labels, proof.miou, proof.images) == (1.0, 1.0, len(samples))
    assert (proof.batch_sizes, proof.mirrored_image) == ((1, 2), f"{last}.png")
    # Only this call shows that images of one call are mixed up; it has no labels.
    proof = compare(received, expected, samples=samples)
    assert proof.worst_image == f"{last}.png, mirrored"
    assert (proof.worst_equal_labels, proof.miou, proof.logits_difference) == (0.0, 1.0, 1.0)
    # One image a call is all that this one takes.
    single = compare(Fixed(logits, batch_size=1), Fixed(logits), samples=samples)
    assert (single.batch_sizes, single.mirrored_image) == ((1,), None)


def test_the_worst_image_stands_beside_the_mean():
    truth = np.random.default_rng(2).integers(0, 2, (3, *SHAPE))
    logits = np.eye(3, dtype=np.float32)[truth]
    changed = logits.copy()
    # Of the second image a quarter, of the third a half of the pixels becomes the third class.
    changed[1, :8] = changed[2, :16] = [0.0, 0.0, 2.0]
    samples = [sample(index, labels) for index, labels in enumerate(truth.astype(np.uint8))]
    proof = compare(Fixed(changed), Fixed(logits), samples=samples)
    assert proof.equal_labels == pytest.approx(1 - (0.25 + 0.5) / 3)
    assert (proof.worst_image, proof.worst_equal_labels) == ("2.png", 0.5)
    kept, all_ = (np.bincount(each.ravel()) for each in (truth[2, 16:], truth[2]))
    assert proof.worst_miou_difference == pytest.approx(np.sum(kept / all_) / 3 - 1)
    assert "(worst image, 2.png: 50.0000 %)" in proof.sentence()


def test_the_score_at_the_images_own_size_is_that_of_keras():
    logits = {0: np.zeros((*SHAPE, 3)), 1: np.zeros((64, 80, 3))}
    logits[0][..., 1] = logits[1][..., 1] = 1.0
    # Half of the image is right where it has its own size, all of it where it is small.
    labels, large = np.ones(SHAPE, np.uint8), np.ones((64, 80), np.uint8)
    large[:32] = 2
    native = np.ones((64, 80, 3), np.uint8), large
    resized = sample(0, labels, native=native, is_resized=True)
    proof = compare(Fixed(logits), Fixed(logits), samples=[resized])
    assert (proof.miou_keras, proof.miou, proof.miou_native) == (1.0, 1.0, 0.25)
    assert proof.sentence().endswith("Keras model at the original image size 25.00 %.")
    both = [resized, sample(0, labels)]
    mixed = compare(Fixed(logits), Fixed(logits), samples=both).miou_native
    right, wrong = 32 * 40 + 32 * 80, 32 * 80
    assert mixed == pytest.approx(right / (right + wrong) / 2)
    # Nothing was resized; one is too large for its own size.
    assert compare(Fixed(logits), Fixed(logits), labels[None]).miou_native is None
    too_large = [resized, sample(0, labels, is_resized=True)]
    assert compare(Fixed(logits), Fixed(logits), samples=too_large).miou_native is None


def test_nothing_to_compare(logits):
    with pytest.raises(ValueError, match="`samples` is empty"):
        prove(
            Fixed(logits),
            Fixed(logits),
            [],
            of="here",
            by="a runner",
            num_classes=3,
            progress=False,
        )
