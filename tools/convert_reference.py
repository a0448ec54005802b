"""Converts files of FasterSeg's released PyTorch code into files of this package."""

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
    "Content of the file.",
)
WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "File to convert: .npz with state-dict names, .pt (needs PyTorch), or .json for a latency "
    "table.",
    required=True,
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "File to write: .keras for a network, .weights.h5 for a supernet, .json for an architecture or "
    "a latency table.",
    required=True,
)
GENOTYPE = flags.DEFINE_string(
    "genotype", "fasterseg_student", "For a network: a preset's name or a genotype's JSON file."
)
ROLE = flags.DEFINE_enum(
    "role", "student", ["teacher", "student"], "For an architecture: its role."
)
BRANCH_SCALES = flags.DEFINE_list(
    "branch_scales",
    ["32", "16"],
    "For an architecture: scales at which the branches end, comma separated.",
)
REFERENCE_QUIRKS = flags.DEFINE_bool(
    "reference_quirks",
    False,
    "For an architecture or a latency table: reproduce the faults of the released code when "
    "decoding choices or assigning latencies to operations.",
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
        f"--allow_partial needs --kind=network or --kind=supernet. Received: --kind={KIND.value}",
    )
    report = _convert()
    print(convert_reference.report_text(report))
    written = convert_reference.is_complete(report) or ALLOW_PARTIAL.value
    require(
        written,
        f"{len(report.missing)} weights are missing and {len(report.unused)} unused, so "
        f"{OUTPUT.value} was not written; give a matching file or set --allow_partial.",
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
            f"--branch_scales must be one or more of {', '.join(known)}. Received: {text!r}",
        )
    return [known[text] for text in BRANCH_SCALES.value]


if __name__ == "__main__":
    command.run(main)
