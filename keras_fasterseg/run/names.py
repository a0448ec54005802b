"""Names of what a run leaves in its folder: files, and stages of a comparison."""

import dataclasses
from collections.abc import Sequence

from keras_fasterseg.spaces.roles import STUDENT, TEACHER

LATENCY_TABLE = "latency_table.json"
SUPERNET_WEIGHTS = "supernet.weights.h5"
NETWORK = "network.keras"
EVALUATION = "evaluation.json"
RECORD = "stage.json"
LOG = "log.csv"
SUMMARY = "summary.json"
COMPARISON = "comparison.json"
VERIFICATION = "verification.json"
VERIFICATION_PICTURE = "verification.png"


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A trained network in a comparison.

    Attributes:
        name: What it is called.
        stage: Stage that trained it.
        distilled: Whether it learnt from the searched teacher.
    """

    name: str
    stage: str
    distilled: bool = False


CONTESTANTS = (
    Contestant("searched teacher", TEACHER),
    Contestant("searched student", STUDENT, distilled=True),
    Contestant("searched student", "student_alone"),
    Contestant("published student", "published_student"),
)


def contestants(roles: Sequence[str]) -> tuple[Contestant, ...]:
    """The networks of a comparison, for a space that searches `roles`."""
    if TEACHER in roles:
        return CONTESTANTS
    return (Contestant("searched student", STUDENT), CONTESTANTS[-1])
