"""Converts a data set to TFRecord shards, which --data_dir then accepts in its place."""

from tools import command  # isort: skip

from absl import flags

from flags import settings_flags
from keras_fasterseg.data import registry
from keras_fasterseg.settings import conversion as conversion_settings
from keras_fasterseg.settings import stages
from keras_fasterseg.wording import counted

DATASET = flags.DEFINE_enum("dataset", None, sorted(registry.SOURCES), "Data set to convert.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the data set.")
OUTPUT = flags.DEFINE_string("output", None, "Folder for the shards.", required=True)
VERIFY = flags.DEFINE_bool(
    "verify", False, "Convert nothing; check the digests of the shards in --output."
)
settings_flags.define_settings(stages.ReadingSettings)
settings_flags.define_settings(conversion_settings.ConversionSettings)
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    from keras_fasterseg.data.converted_dataset import ConvertedDataset
    from keras_fasterseg.jobs import convert_dataset

    if VERIFY.value:
        count = ConvertedDataset(OUTPUT.value).verify()
        print(f"All {count} shards in {OUTPUT.value} match their digests.")
        return
    dataset, data_dir = DATASET.value, DATA_DIR.value
    if dataset is None or data_dir is None:
        raise ValueError("Nothing to convert; set --dataset and --data_dir, or --verify.")
    reading = settings_flags.read_settings(stages.ReadingSettings)
    converted = convert_dataset.convert_dataset(
        registry.load_source(dataset, data_dir, max_megapixels=reading.max_megapixels),
        dataset,
        OUTPUT.value,
        settings_flags.read_settings(conversion_settings.ConversionSettings),
    )
    for split, shards in converted.index.splits.items():
        images = sum(len(shard.records) for shard in shards)
        size = sum(shard.size for shard in shards) / 1e6
        print(f"{split}: {counted(images, 'image')}, {size:.1f} MB, shards: {len(shards)}")
    print(f"Use it with --dataset={dataset} --data_dir={OUTPUT.value}")


if __name__ == "__main__":
    command.run(main)
