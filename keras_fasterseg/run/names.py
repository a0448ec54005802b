"""Names of the files in a run's folder, and of the networks in a comparison."""

import dataclasses
from collections.abc import Sequence

from keras_fasterseg.spaces.roles import STUDENT, TEACHER

LATENCY_TABLE = "latency_table.json"
SUPERNET_WEIGHTS = "supernet.weights.h5"
NETWORK = "network.keras"
GENOTYPE = "genotype.json"
EVALUATION = "evaluation.json"
RECORD = "stage.json"
LOG = "log.csv"
SUMMARY = "summary.json"
COMPARISON = "comparison.json"
CANDIDATES = "candidates.json"
VERIFICATION = "verification.json"
VERIFICATION_PICTURE = "verification.png"


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A trained network in a comparison.

    Attributes:
        name: Its name in the comparison.
        stage: Stage that trained it.
        distilled: Whether it was distilled from the searched teacher.
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
    """Returns the networks of a comparison, for a search space with these roles."""
    if TEACHER in roles:
        return CONTESTANTS
    return (Contestant("searched student", STUDENT), CONTESTANTS[-1])
