from keras_fasterseg.files import read_json
from tests.tools.run_tool import run_tool, sentence


def test_every_storage_is_measured_beside_the_files(tmp_path):
    finished = run_tool(
        "benchmarks.input_pipeline",
        *("--sizes=64x96", "--images=3", "--batch_size=2", "--batches=1", "--rounds=6"),
        *("--cold", "--downsample=2"),
        f"--output={tmp_path}/speed.json",
    )
    assert finished.status == 0, finished
    value = read_json(tmp_path / "speed.json")
    results = value["results"]
    assert [each["stored_as"] for each in results] == ["files", "files, NumPy", "png", "raw"]
    assert value["page_cache"] == "dropped before every turn"
    for each in results:
        assert each["crop_size"] == [64, 64]
        assert each["images_per_second"] > 0
        if each["stored_as"] == "files":
            assert each["times_files"] == each["times_files_by_cpu"] == 1
            assert each["times_files_interval"] == [1, 1]
        if each["stored_as"] == "raw":
            # Three bytes a pixel for the image and one for the label, of 32 x 48 pixels.
            assert 6144 < 1e6 * each["megabytes_per_image"] < 6144 + 400
    # Two lines of headings, one a measurement, the facts.
    assert len(finished.stdout.splitlines()) == 2 + 4 + 1


def test_a_size_that_is_none():
    finished = run_tool("benchmarks.input_pipeline", "--sizes=64")
    assert "expected HEIGHTxWIDTH" in sentence(finished)
