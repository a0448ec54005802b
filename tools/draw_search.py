"""Draws the search, the trainings and the networks of a run, and writes a page about them."""

from tools import command  # isort: skip

from absl import flags

from keras_fasterseg.visualization import card

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder to write the pictures to.", required=True)
FORMAT = flags.DEFINE_enum(
    "format",
    "svg",
    [suffix.removeprefix(".") for suffix in card.SUFFIXES],
    "Format of the pictures.",
)
PAGE = flags.DEFINE_bool("page", False, "Also write report.html, a page with all pictures.")
COMPARE = flags.DEFINE_list(
    "compare",
    [],
    "Workdirs of other searches (strategies, seeds) to compare in report.html; implies --page.",
)


def main() -> None:
    from keras_fasterseg.jobs import draw_search

    drawn = draw_search.draw_search(
        WORKDIR.value, OUTPUT.value, f".{FORMAT.value}", PAGE.value, COMPARE.value
    )
    for path in drawn.written:
        print(f"Wrote {path}")
    for sentence in drawn.left_out:
        print(sentence)


if __name__ == "__main__":
    command.run(main)
