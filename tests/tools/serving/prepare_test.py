from tests.runtimes import exports
from tests.tools.run_tool import run_tool, sentence


def prepare(export, tmp_path, *arguments):
    return run_tool(
        "serving.prepare",
        f"--artefact={export}",
        f"--repository={tmp_path}/models",
        "--name=student",
        *arguments,
    )


def test_a_repository_of_tensorflow_serving(tmp_path):
    flags = ("--warmup_size=64x96", "--warmup_size=32x32", "--max_batch_size=4", "--mount=/srv")
    finished = prepare(exports.export("saved_model"), tmp_path, *flags)
    assert finished.status == 0, finished.stderr
    version = tmp_path / "models" / "student" / "1"
    assert finished.stdout == f"The model student is in {version}\n"
    assert (version / "assets.extra" / "tf_serving_warmup_requests").is_file()
    config = (tmp_path / "models" / "models.config").read_text()
    assert 'base_path: "/srv/student"' in config
    batching = (tmp_path / "models" / "batching.config").read_text()
    assert "max_batch_size { value: 4 }" in batching


def test_a_repository_of_triton(tmp_path):
    finished = prepare(exports.export("onnx"), tmp_path, "--version=5")
    assert finished.status == 0, finished.stderr
    student = tmp_path / "models" / "student"
    assert sorted(path.name for path in student.iterdir()) == ["5", "config.pbtxt"]


def test_batches_of_triton(tmp_path):
    export = exports.export("onnx", "class_ids", None, None)
    finished = prepare(export, tmp_path, "--max_batch_size=16", "--batch_timeout_ms=5")
    assert finished.status == 0, finished.stderr
    config = (tmp_path / "models" / "student" / "config.pbtxt").read_text()
    assert "max_batch_size: 16\n" in config
    assert "dims: [-1, -1, 3]" in config
    assert "max_queue_delay_microseconds: 5000" in config


def test_what_goes_wrong_is_one_sentence(tmp_path):
    export = exports.export("onnx")
    gone = tmp_path / "gone"
    assert f"The exported network {gone} does not exist" in sentence(prepare(gone, tmp_path))
    assert "which is litert" in sentence(prepare(exports.export("litert"), tmp_path))
    assert "`name` of a model" in sentence(prepare(export, tmp_path, "--name=a/b"))
    assert "HEIGHTxWIDTH" in sentence(prepare(export, tmp_path, "--warmup_size=64"))
    assert "`max_batch_size`" in sentence(prepare(export, tmp_path, "--max_batch_size=0"))
    assert "exactly 1 images per call" in sentence(prepare(export, tmp_path, "--max_batch_size=16"))
    assert "--batch_threads is" in sentence(prepare(export, tmp_path, "--batch_threads=2"))
    assert not (tmp_path / "models").exists()
    prepare(export, tmp_path, "--version=1")
    assert "pass --overwrite" in sentence(prepare(export, tmp_path, "--version=1"))
    assert prepare(export, tmp_path, "--version=1", "--overwrite").status == 0
