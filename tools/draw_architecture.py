"""Draws a network: its cells by layer and scale, and their cost."""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags

GENOTYPE = flags.DEFINE_string(
    "genotype", None, "The network: a preset's name or a genotype's JSON file.", required=True
)
OUTPUT = flags.DEFINE_string(
    "output", None, "Picture to write, a .svg or .png file.", required=True
)
LATENCY_TABLE = flags.DEFINE_string(
    "latency_table",
    None,
    "Latency table of a device, to show latency shares and the predicted frame rate.",
)
INPUT_SIZE = settings_flags.define_size(
    "input_size",
    None,
    "Height x width of the images, multiples of 32. Default: the size of the table, or 1024x2048.",
)
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.")
NAME = flags.DEFINE_string("name", None, "Title of the picture. Default: the value of --genotype.")
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.reports import draw_architecture
    from keras_fasterseg.run import latency_tables
    from keras_fasterseg.spaces.registry import resolve_genotype
    from keras_fasterseg.visualization import card

    card.check_suffix(OUTPUT.value)
    path, size = LATENCY_TABLE.value, INPUT_SIZE.value
    table = latency_tables.load_table(path, size) if path else None
    if size is None:
        size = (1024, 2048) if table is None else table.metadata.input_size
    figure = draw_architecture.draw_architecture(
        resolve_genotype(GENOTYPE.value),
        size,
        NUM_CLASSES.value,
        table=table,
        name=NAME.value or GENOTYPE.value,
    )
    card.save_figure(figure, OUTPUT.value)
    print(f"The picture is {OUTPUT.value}")


if __name__ == "__main__":
    command.run(main)
