"""A look into every file before the first step of a long run."""

import concurrent.futures

import tqdm

from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.data.source import Sample, SegmentationSource


def check_samples(source: SegmentationSource, split: str, *, progress: bool = True) -> int:
    """Opens every image and label of `split` once, several at a time.

    Args:
        source: The data set.
        split: One of its splits.
        progress: Whether to show a progress bar.

    Returns:
        The number of samples, all of which are good.

    Raises:
        ValueError: The data set has no such split.
        DataError: A sample is faulty; the message names the file of the first such sample.
    """
    samples = source.samples(split)

    def check(sample: Sample) -> None:
        read_sample(sample, source)

    with concurrent.futures.ThreadPoolExecutor() as threads:
        checks = [threads.submit(check, sample) for sample in samples]
        try:
            description = f"checking {source.name} {split}"
            for future in tqdm.tqdm(checks, description, unit="image", disable=not progress):
                future.result()
        finally:
            # Without this a fault in the first file would still cost reading all the others.
            threads.shutdown(wait=True, cancel_futures=True)
    return len(samples)
