"""Converts what the released PyTorch code comes with into files of this package."""

from tools import command  # isort: skip

from typing import TYPE_CHECKING

from absl import flags

from flags import settings_flags
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.registry import settings_class

if TYPE_CHECKING:
    from keras_fasterseg.jobs import convert_reference

KIND = flags.DEFINE_enum(
    "kind",
    "network",
    ["network", "supernet", "architecture", "latency_table"],
    "What the file holds.",
)
WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "The file: .npz by state-dict names, or .pt with PyTorch; .json of a latency table.",
    required=True,
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "File to write: .keras of a network, .weights.h5 of a supernet, .json of an architecture or of "
    "a latency table.",
    required=True,
)
GENOTYPE = flags.DEFINE_string(
    "genotype", "fasterseg_student", "Of a network: a preset's name or a genotype's JSON file."
)
ROLE = flags.DEFINE_enum(
    "role", "student", ["teacher", "student"], "Of an architecture: which of the two."
)
BRANCH_SCALES = flags.DEFINE_list(
    "branch_scales", ["32", "16"], "Of an architecture: scales at which the branches end."
)
REFERENCE_QUIRKS = flags.DEFINE_bool(
    "reference_quirks",
    False,
    "Decode an architecture, or charge a latency table's operations, as the released code does.",
)
ALLOW_PARTIAL = flags.DEFINE_bool(
    "allow_partial", False, "Write weights even if some are missing or unused."
)
settings_flags.define_settings(settings_class("fasterseg"))
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.jobs import convert_reference

    require(
        not ALLOW_PARTIAL.value or KIND.value in ("network", "supernet"),
        f"--allow_partial is for weights. Received: --kind={KIND.value}",
    )
    report = _convert()
    print(convert_reference.report_text(report))
    written = convert_reference.is_complete(report) or ALLOW_PARTIAL.value
    require(
        written,
        f"{len(report.missing)} weights are missing and {len(report.unused)} unused, so "
        f"{OUTPUT.value} was not written; give the right file or set --allow_partial.",
    )
    print(f"Converted into {OUTPUT.value}")


def _convert() -> "convert_reference.ConversionReport":
    from keras_fasterseg.jobs import convert_reference
    from keras_fasterseg.spaces.registry import resolve_genotype

    supernet = settings_flags.read_settings(settings_class("fasterseg"))
    if KIND.value == "network":
        genotype = resolve_genotype(GENOTYPE.value)
        return convert_reference.convert_network(
            WEIGHTS.value, genotype, OUTPUT.value, ALLOW_PARTIAL.value
        )
    if KIND.value == "supernet":
        return convert_reference.convert_supernet(
            WEIGHTS.value, supernet, OUTPUT.value, ALLOW_PARTIAL.value
        )
    if KIND.value == "latency_table":
        return convert_reference.convert_latency_table(
            WEIGHTS.value, OUTPUT.value, REFERENCE_QUIRKS.value
        )
    return convert_reference.convert_architecture(
        WEIGHTS.value,
        ROLE.value,
        supernet,
        OUTPUT.value,
        _branch_scales(),
        REFERENCE_QUIRKS.value,
    )


def _branch_scales() -> list[int]:
    known = {str(scale): scale for scale in (8, 16, 32)}
    for text in BRANCH_SCALES.value:
        require(
            text in known,
            f"--branch_scales must be of {', '.join(known)}. Received: {text!r}",
        )
    return [known[text] for text in BRANCH_SCALES.value]


if __name__ == "__main__":
    command.run(main)
