"""Result of a prediction: files and speed."""

import dataclasses

from keras_fasterseg.benchmark.statistics import TimeStatistics, fps_text
from keras_fasterseg.export.proof import read_proof
from keras_fasterseg.inference.predictor import Predictor
from keras_fasterseg.wording import counted


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Files that were written, and the speed.

    Attributes:
        what: Sentence on the files that were written.
        failures: A sentence for every failure.
        count: Number of segmented images or frames.
        unit: `image` or `frame`.
        seconds: Total time in seconds, without loading the networks.
        networks: The networks by artefact.
    """

    what: str
    failures: tuple[str, ...]
    count: int
    unit: str
    seconds: float
    networks: dict[str, Predictor]

    def text(self) -> str:
        """The result as text."""
        lines = []
        for name, predictor in self.networks.items():
            proof = read_proof(predictor.runner.metadata)
            if proof is not None:
                lines.append(f"{name}: {proof.line()}" if len(self.networks) > 1 else proof.line())
        lines.append(self.what)
        if self.count:
            done, fps = counted(self.count, self.unit), self.count / self.seconds
            lines.append(
                f"End to end: {fps_text(fps)} FPS ({done} in {self.seconds:.1f} s, from reading to "
                "writing, including first calls but not loading)"
            )
        for name, predictor in self.networks.items():
            label = f"Network alone, {name}" if len(self.networks) > 1 else "Network alone"
            lines.append(f"{label}: {_speed(predictor)}")
        return "\n".join(lines)


def _speed(predictor: Predictor) -> str:
    if not predictor.seconds:
        return (
            "not measured: the first call of each size does not count, and no size occurred twice"
        )
    times = TimeStatistics.from_seconds(predictor.seconds)
    facts = predictor.runner.describe()
    sizes = [f"{height}x{width}" for height, width in predictor.sizes]
    return (
        f"{fps_text(1000 / times.p50_ms)} FPS (p50 {times.p50_ms:.1f} ms of {times.repetitions} "
        f"calls, without the first of each size; uint8 images of "
        f"{sizes[0] if len(sizes) == 1 else f'{len(sizes)} sizes'} in host memory to class ids in "
        f"host memory, {facts['runtime']} on {facts['device']}, "
        f"{counted(int(str(facts['threads'])), 'thread')})"
    )
