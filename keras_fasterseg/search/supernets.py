"""The supernet and the two architectures of a run."""

import dataclasses

from keras_fasterseg.settings.stages import SupernetSettings
from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.spaces.fasterseg.supernet import Supernet


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """A built supernet with its architectures."""

    supernet: Supernet
    teacher: Architecture
    student: Architecture


def build_search_space(settings: SupernetSettings, num_classes: int, seed: int) -> SearchSpace:
    """Makes and builds everything that pretraining and search train."""
    supernet = Supernet(
        num_classes,
        settings.num_layers,
        settings.base_filters,
        settings.width_multipliers,
        stem_head_widths={TEACHER: 1.0, STUDENT: settings.student_width},
        name="supernet",
    )
    supernet.build()
    widths = len(settings.width_multipliers)
    return SearchSpace(
        supernet,
        Architecture(TEACHER, settings.num_layers, widths, name="teacher"),
        Architecture(STUDENT, settings.num_layers, widths, seed=seed, name="student"),
    )
