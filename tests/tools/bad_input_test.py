"""Errors of users: each gives one clear sentence and a status, and leaves no partial files."""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests.shared import ROOT
from tests.tools import tiny_run
from tests.tools.run_tool import run_tool, sentence

SIZE = (64, 128)
LABEL = np.arange(64 * 128).reshape(SIZE) % 11


def make_images(root: pathlib.Path, label=LABEL, size=SIZE) -> pathlib.Path:
    """Two images a split in the layout of SegNet's CamVid."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for split in ("train", "val"):
        for folder, pixels in ((split, image), (f"{split}annot", label)):
            (root / folder).mkdir(parents=True)
            for name in ("a.png", "b.png"):
                Image.fromarray(np.asarray(pixels, np.uint8)).save(root / folder / name)
    return root


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Good and faulty inputs, by the name that the cases call them."""
    root = tmp_path_factory.mktemp("inputs")
    make_images(root / "good")
    make_images(root / "other_size", size=(64, 64))
    make_images(root / "wrong_id", label=np.full(SIZE, 77))
    make_images(root / "one_class", label=np.full(SIZE, 3))
    make_images(root / "void", label=np.full(SIZE, 11))
    faulty = {name: make_images(root / name) / "train" for name in ("none", "cut", "text", "bare")}
    for path in list(faulty["none"].iterdir()):
        path.unlink()
    cut = faulty["cut"] / "b.png"
    cut.write_bytes(cut.read_bytes()[:500])
    (faulty["text"] / "b.png").write_text("no image", encoding="utf-8")
    (root / "bare" / "trainannot" / "b.png").unlink()
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(
        make_images(root / "coloured") / "trainannot" / "a.png"
    )
    (root / "empty").mkdir()
    for name in ("unnamed", "misnamed"):
        (root / name / "images" / "train").mkdir(parents=True)
    (root / "misnamed" / "dataset.yaml").write_text("class: [road, car]", encoding="utf-8")
    (root / "file").write_text("x", encoding="utf-8")
    (root / "broken.json").write_text('{"space": "fasterseg",', encoding="utf-8")
    (root / "short.json").write_text('{"space": "fasterseg"}', encoding="utf-8")
    (root / "other_space.json").write_text(
        json.dumps(
            {
                "metadata": {
                    "schema_version": 2,
                    "space": "gas",
                    "input_size": [64, 128],
                    "fingerprint": {
                        "device": "a device",
                        "runtime": "saved_model",
                        "runtime_version": "1",
                        "precision": "float32",
                        "threads": 1,
                        "harness_version": 2,
                    },
                },
                "calibration": None,
                "rows": {},
            }
        ),
        encoding="utf-8",
    )
    (root / "junk.keras").write_text("no network", encoding="utf-8")
    (root / "cut.keras").write_bytes(b"PK\x03\x04" + bytes(200))
    (root / "damaged").mkdir()
    (root / "damaged" / "saved_model.pb").write_bytes(b"\x00\x01 no graph")
    return root


TRAIN = ("train", "--workdir=RUN", "--genotype=fasterseg_student", "--dataset=camvid")
GOOD = "--data_dir=IN/good"
MEASURE = ("measure_latency", "--workdir=RUN", *tiny_run.SUPERNET, *tiny_run.LATENCY)
ALL = ("run_all", "--workdir=RUN", "--dataset=camvid", GOOD, *tiny_run.SUPERNET)


def trained_on(folder, *arguments):
    return (*TRAIN, *tiny_run.STUDENT, f"--data_dir=IN/{folder}", *arguments)


CASES = {
    # Data.
    "missing folder": (trained_on("gone"), "The folder IN/gone does not exist. Choose the folder"),
    "folder is a file": (trained_on("file"), "The folder IN/file does not exist"),
    "empty folder": (trained_on("empty"), "IN/empty does not contain CamVid: expected the folders"),
    "no images": (trained_on("none"), "IN/none has no images in its split 'train'"),
    "labels of another size": (
        trained_on("other_size"),
        "trainannot/a.png is 64 x 128 (height x width), but its image IN/other_size/train/a.png is",
    ),
    "id out of range": (trained_on("wrong_id"), "a.png holds the id 77, which camvid does not"),
    "one class": (
        trained_on("one_class"),
        "show only one class, 'road', but at least two classes are needed",
    ),
    "void": (trained_on("void"), "show only ignored pixels"),
    "truncated image": (trained_on("cut"), "IN/cut/train/b.png is damaged or cannot be read"),
    "text as image": (trained_on("text"), "IN/text/train/b.png is not an image that can be read"),
    "label missing": (trained_on("bare"), "IN/bare/train/b.png has no label"),
    "coloured label": (
        trained_on("coloured"),
        "is stored as 8-bit RGB PNG, but labels of camvid hold ids",
    ),
    "no file of classes": (
        trained_on("unnamed", "--dataset=folder"),
        "The file IN/unnamed/dataset.yaml does not exist. Write one that names the classes",
    ),
    "wrong file of classes": (
        trained_on("misnamed", "--dataset=folder"),
        "IN/misnamed/dataset.yaml: the file has the unknown key 'class'; use name, classes",
    ),
    "too few images": (
        trained_on("good", "--student_batch_size=3"),
        "2 training images cannot fill a batch; set --student_batch_size to at most 2",
    ),
    "no such split": (
        trained_on("good", "--train_split=test"),
        "has no split 'test'; it has train",
    ),
    "no such data set": (
        trained_on("good", "--dataset=nowhere"),
        "Unknown data set 'nowhere'; use one of bdd100k, camvid",
    ),
    # Flags.
    "zero steps": (
        trained_on("good", "--student_steps_per_epoch=0"),
        "--student_steps_per_epoch must be at least 1. Received: --student_steps_per_epoch=0",
    ),
    "crop": (
        trained_on("good", "--student_crop_size=100x64"),
        "Each side of --student_crop_size must be at least 64 and a multiple of 32. "
        "Received: --student_crop_size=100x64",
    ),
    "not a number": (
        trained_on("good", "--student_learning_rate=nan"),
        "expected a number or a fraction, received 'nan'",
    ),
    "preset": (
        trained_on("good", "--genotype=fasterseg_pupil"),
        "'fasterseg_pupil' is neither a preset (fasterseg_student, fasterseg_teacher, "
        "joint_published) nor",
    ),
    "flag": (trained_on("good", "--student_epoch=3"), "Did you mean: student_epochs"),
    "flag's value": (trained_on("good", "--student_epochs=three"), "flag --student_epochs=three"),
    "flagfile": (trained_on("good", "--flagfile=IN/gone.flags"), "Unable to open flagfile"),
    "negative seed": (trained_on("good", "--seed=-1"), "not an integer in the range [0, 4294967"),
    "filters": ((*ALL, "--base_filters=1000000000"), "--base_filters must be at least 1 and at mo"),
    "student's width": (
        (*ALL, "--student_width=5/12"),
        "--student_width must be one of --width_multipliers=0.5,1.0",
    ),
    "widths": (
        (*ALL, "--width_multipliers=1,1/2"),
        "--width_multipliers must be ascending and end with 1",
    ),
    "band of frame rates": (
        (
            *ALL,
            "--train_split=train+val",
            "--pretrain_batch_size=1",
            "--search_min_fps=50",
            "--search_max_fps=40",
        ),
        "Received: min_fps=50.0, max_fps=40.0",
    ),
    "late stage": ((*ALL, "--benchmark_repetitions=0"), "--benchmark_repetitions must be at lea"),
    # Files that other tools have written.
    "workdir is a file": (
        ("measure_latency", "--workdir=IN/file"),
        "The workdir IN/file cannot be created",
    ),
    "table is broken": (
        (*MEASURE, "--latency_table=IN/broken.json"),
        "IN/broken.json cannot be read as a latency table",
    ),
    "table of another search space": (
        (*MEASURE, "--latency_table=IN/other_space.json"),
        "IN/other_space.json is a table of the search space 'gas', but 'fasterseg' is needed",
    ),
    "unknown runtime of a table": (
        (*MEASURE, "--latency_runtime=tensorflow"),
        "--latency_runtime must be one of saved_model, onnxruntime, openvino, litert, keras. "
        "Received: --latency_runtime=tensorflow",
    ),
    "no time": ((*MEASURE, "--time_budget=0"), "--latency_time_budget must be above 0"),
    "two networks to verify": (
        (*MEASURE, "--verify=2"),
        "Verification needs at least three networks, or --verify=0. Received: --verify=2",
    ),
    "one network to calibrate": (
        (*MEASURE, "--calibrate=1"),
        "set --latency_calibration (--calibrate) to 0 or at least 2. Received: 1",
    ),
    "broken genotype": (("describe", "--genotype=IN/broken.json"), "IN/broken.json is not a JSON"),
    "genotype cut short": (("describe", "--genotype=IN/short.json"), "is not a valid genotype"),
    "no network": (
        ("evaluate", "--artefact=IN/junk.keras", "--dataset=camvid", GOOD),
        "IN/junk.keras is not a trained network of this package",
    ),
    "truncated network": (
        ("export", "--network=IN/cut.keras", "--target=RUN/1"),
        "IN/cut.keras is not a trained network of this package",
    ),
    "folder without a SavedModel": (
        ("benchmark", "--artefact=IN/empty"),
        "IN/empty",
    ),
    "damaged SavedModel": (
        ("evaluate", "--artefact=IN/damaged", "--dataset=camvid", GOOD),
        "The SavedModel at IN/damaged cannot be loaded; export it again",
    ),
    "no released weights": (
        ("convert_reference", "--weights=IN/gone.npz", "--output=RUN/n.keras"),
        "The weight file IN/gone.npz does not exist",
    ),
    "scales of branches": (
        (
            *("convert_reference", "--kind=architecture", "--weights=IN/gone.npz"),
            *("--output=RUN/n.json", "--branch_scales=a"),
        ),
        "--branch_scales must be one or more of 8, 16, 32. Received: 'a'",
    ),
    "no run": (
        ("maintenance.results", "--runs=IN/empty", f"--document={ROOT}/docs/results.md"),
        "IN/empty has neither summary.json nor comparison.json",
    ),
}


def put_in(text: str, places, run) -> str:
    return text.replace("IN/", f"{places}/").replace("RUN", str(run))


# Elsewhere, the first sentence is that TensorFlow is missing.
TENSORFLOW = {"band of frame rates", "truncated network", "damaged SavedModel"}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(each, marks=pytest.mark.backends("tensorflow") if each in TENSORFLOW else ())
        for each in CASES
    ],
)
def test_one_sentence_and_nothing_half_written(case, places, tmp_path):
    (name, *arguments), expected = CASES[case]
    run = tmp_path / "run"
    finished = run_tool(name, *(put_in(argument, places, run) for argument in arguments))
    message = sentence(finished)
    assert message.startswith(f"{name.rpartition('.')[2]}.py: ")
    assert put_in(expected, places, run) in message
    assert finished.stdout == ""
    # A stage may have said that it begins, and what it reads, but has no result and no temporary
    # file.
    left = {
        path.name for path in run.rglob("*") if path.is_file() and path.parent != run / "inputs"
    }
    assert left <= {"stage.json"}


@pytest.mark.slow
def test_table_of_another_space(places, tmp_path):
    other = tmp_path / "other"
    arguments = (f"--workdir={other}", *tiny_run.SUPERNET, *tiny_run.LATENCY)
    table = other / "latency" / "latency_table.json"
    assert run_tool("measure_latency", *arguments).status == 0
    wider = (f"--workdir={tmp_path}/run", "--base_filters=8", f"--latency_table={table}")
    message = sentence(run_tool("measure_latency", *tiny_run.SUPERNET, *tiny_run.LATENCY, *wider))
    assert "operations of this search space" in message
    value = json.loads(table.read_text(encoding="utf-8"))
    assert f"{table} lacks" in message
    assert value["metadata"]["input_size"] == [64, 128]


def test_workdir_that_cannot_be_written(tmp_path):
    if os.geteuid() == 0:
        # Root may write everywhere but where the kernel makes up the files.
        workdir, expected = pathlib.Path("/proc/run"), "The workdir /proc/run cannot be created"
    else:
        workdir, expected = tmp_path, "is not writable; choose another folder"
        workdir.chmod(0o555)
    finished = run_tool("measure_latency", f"--workdir={workdir}", *tiny_run.LATENCY)
    tmp_path.chmod(0o755)
    assert expected in sentence(finished)


@pytest.mark.backends("tensorflow")
def test_full_disk(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        # The estimate would refuse it before anything is written.
        flags = [f"--workdir={tmp_path}/run", "--estimate=none", *tiny_run.SUPERNET]
        finished = run_tool("run_all", *flags)
        message = sentence(finished)
        assert "the disk is full" in message
        assert "make room or choose another folder" in message
        left = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert left == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
