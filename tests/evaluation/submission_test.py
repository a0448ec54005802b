import numpy as np
import pytest
from cityscapesscripts.helpers.labels import trainId2label
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.source import Sample
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.evaluation.submission import MARKER, check_cityscapes, write_submission
from tests.oracle_runner import OracleRunner

ORIGIN = {"artefact_sha256": "abc", "split": "val"}


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    return generate(root, num_train=1, num_val=3, height=33, width=70, seed=1, progress=False)


class StoppedError(Exception):
    pass


class StoppedRunner(OracleRunner):
    """Ends the program at its second image."""

    def __call__(self, images):
        if self.calls == 1:
            raise StoppedError
        return super().__call__(images)


def write(streets, folder, runner=None, origin=ORIGIN, **options):
    return write_submission(
        runner or OracleRunner(streets, "val"),
        streets.samples("val"),
        streets.class_names,
        folder,
        origin=origin,
        progress=False,
        **options,
    )


def test_label_maps_are_what_the_server_takes(streets, tmp_path):
    paths = write(streets, tmp_path / "new" / "maps")
    names = [f"synthetic_{index:06d}_000000_labelIds.png" for index in range(3)]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new" / "maps").iterdir()) == [MARKER, *names]
    runner = OracleRunner(streets, "val")
    for path, sample in zip(paths, streets.samples("val"), strict=True):
        class_ids = runner(read_image(sample.image)[None])[0]
        written = Image.open(path)
        assert (written.mode, written.size) == ("L", (70, 33))
        for class_id in np.unique(class_ids):
            of_class = np.asarray(written)[class_ids == class_id]
            assert set(of_class) == {trainId2label[class_id].id}


def test_labels_need_not_be_there(streets, tmp_path):
    samples = [Sample(each.image, each.label.with_name("gone")) for each in streets.samples("val")]
    runner = OracleRunner(streets, "val")
    paths = write_submission(
        runner, samples, streets.class_names, tmp_path / "maps", origin={}, progress=False
    )
    assert all(path.is_file() for path in paths)


def test_a_call_that_was_stopped_goes_on(streets, tmp_path):
    with pytest.raises(StoppedError):
        write(streets, tmp_path, StoppedRunner(streets, "val"))
    first = tmp_path / "synthetic_000000_000000_labelIds.png"
    assert [path.name for path in tmp_path.glob("*.png")] == [first.name]
    written = first.stat().st_mtime_ns
    (tmp_path / f".{first.name}.x.partial").mkdir()
    runner = OracleRunner(streets, "val")
    paths = write(streets, tmp_path, runner)
    assert runner.calls == 2
    assert first.stat().st_mtime_ns == written
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / MARKER, *paths])
    write(streets, tmp_path, runner)
    assert runner.calls == 2


def test_label_maps_of_another_artefact_are_replaced_on_demand_only(streets, tmp_path):
    paths = write(streets, tmp_path)
    before = [path.read_bytes() for path in paths]
    other = {**ORIGIN, "artefact_sha256": "def"}
    runner = OracleRunner(streets, "val", seed=1)
    message = r"another origin \(artefact_sha256 was 'abc' and is 'def'\); pass --overwrite"
    with pytest.raises(FileExistsError, match=message):
        write(streets, tmp_path, runner, other)
    assert [path.read_bytes() for path in paths] == before
    assert runner.calls == 0
    write(streets, tmp_path, runner, other, overwrite=True)
    assert all(
        path.read_bytes() != bytes_before for path, bytes_before in zip(paths, before, strict=True)
    )
    assert runner.calls == 3


def test_a_folder_of_something_else_is_never_touched(streets, tmp_path):
    (tmp_path / "photo_labelIds.png").touch()
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="other files than label maps of this tool"):
            write(streets, tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["photo_labelIds.png"]
    with pytest.raises(FileExistsError, match="other files than label maps"):
        write(streets, tmp_path / "photo_labelIds.png")


def test_two_images_of_one_name_are_refused(streets, tmp_path):
    (first, *_) = streets.samples("val")
    with pytest.raises(ValueError, match="Two images would be written to"):
        write_submission(
            OracleRunner(streets, "val"),
            [first, first],
            streets.class_names,
            tmp_path / "maps",
            origin={},
            progress=False,
        )
    assert not (tmp_path / "maps").exists()


def test_a_class_that_the_data_set_lacks_is_named(streets, tmp_path):
    runner = OracleRunner(streets, "val")
    with pytest.raises(ValueError, match=r"predicts the class \d+ in .*, but the data set has 2"):
        write_submission(
            runner, streets.samples("val"), ("road", "car"), tmp_path, origin={}, progress=False
        )
    assert not list(tmp_path.glob("*.png"))


def test_an_image_that_is_damaged_is_named(streets, tmp_path):
    image = tmp_path / "ulm_000000_000019_leftImg8bit.png"
    image.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"ulm_000000_000019_leftImg8bit\.png is not an image"):
        write_submission(
            OracleRunner(streets, "val"),
            [Sample(image, image)],
            streets.class_names,
            tmp_path / "maps",
            origin={},
            progress=False,
        )


def test_other_layouts_have_no_server(tmp_path):
    for folder in ("train", "trainannot"):
        (tmp_path / folder).mkdir()
    with pytest.raises(ValueError, match=r"set --dataset=cityscapes. Received: camvid"):
        check_cityscapes(CamVid(tmp_path))
