import gc
import json
import sys

import numpy as np
import pytest

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.tensorrt_rtx_runner import TensorRtRtxRunner
from keras_fasterseg.runtimes.tensorrt_runner import DeviceError, TensorRtRunner
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.fake_tensorrt import ENGINE, DataType, FakeEngine, FakeTensorRt
from tests.stand_in import random_images

SHAPE = (1, 32, 64)
FLAVOURS = {
    "tensorrt": (TensorRtRunner, "model.plan"),
    "tensorrt_rtx": (TensorRtRtxRunner, "model.rtx"),
}


@pytest.fixture
def cuda():
    return FakeCuda()


@pytest.fixture
def engine(cuda):
    return FakeEngine(cuda)


@pytest.fixture(params=FLAVOURS)
def runner(request, cuda, engine, monkeypatch, tmp_path):
    """A runner of either flavour; the module of the other one is not there."""
    for module in FLAVOURS:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, request.param, FakeTensorRt(engine))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    kind, name = FLAVOURS[request.param]
    (tmp_path / name).write_bytes(ENGINE)
    manifest = {"format": request.param, "precision": "fp16"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return kind(tmp_path)


def expected_ids(images):
    return (images.astype(np.int64).sum(-1) % 19).astype(np.uint8)


def test_answers_come_back_from_the_memory_of_the_device(runner, cuda):
    images = random_images(*SHAPE)
    class_ids = runner(images)
    assert class_ids.dtype == np.uint8
    np.testing.assert_array_equal(class_ids, expected_ids(images))
    logits = runner.logits(images)
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits, np.eye(19, dtype=np.float32)[class_ids])
    made = ["cudaStreamCreate", *3 * ["cudaMalloc"]]
    call = ["cudaMemcpyAsync", "execute_async_v3", "cudaMemcpyAsync", "cudaStreamSynchronize"]
    assert cuda.calls == [*made, *call, *call]
    assert sorted(map(len, cuda.blocks.values())) == [32 * 64, 3 * 32 * 64, 4 * 19 * 32 * 64]


def test_images_may_be_changed_when_a_call_has_begun_and_need_not_lie_in_one_piece(runner):
    images = random_images(*SHAPE, seed=1)
    scattered = np.asfortranarray(images)
    handle = runner.infer(scattered)
    scattered[:] = 0
    np.testing.assert_array_equal(runner.fetch(handle), expected_ids(images))


def test_results_are_their_own(runner):
    first = runner(random_images(*SHAPE))
    copy = first.copy()
    runner(random_images(*SHAPE, seed=1))
    np.testing.assert_array_equal(first, copy)


def test_nothing_is_computed_before_synchronize_and_all_of_it_after(runner, cuda):
    runner.synchronize()
    assert cuda.calls == []
    runner.infer(random_images(*SHAPE))
    (waiting,) = cuda.streams.values()
    assert len(waiting) == 2
    runner.synchronize()
    assert waiting == []


def test_memory_and_stream_are_given_back_with_the_runner(runner, cuda, request):
    runner(random_images(*SHAPE))
    assert len(cuda.blocks) == 3
    kind, path = type(runner), runner.path
    # What pytest holds is the same object, so that one of our own has to go.
    mine = kind(path)
    mine(random_images(*SHAPE))
    assert (len(cuda.blocks), len(cuda.streams)) == (6, 2)
    del mine
    gc.collect()
    assert (len(cuda.blocks), len(cuda.streams)) == (3, 1)


def test_describes_itself(runner, tmp_path):
    facts = runner.describe()
    assert facts["runtime"] == runner.runtime
    assert facts["version"] == f"{runner.runtime} 10.9.0"
    assert facts["precision"] == "fp16"
    assert facts["threads"] == 0
    assert facts["device"] == "Fake GPU 3"
    json.dumps(facts)
    assert (runner.input_size, runner.batch_size) == ((32, 64), 1)
    assert runner.outputs == ("class_ids", "logits")


def test_an_engine_of_one_output_refuses_the_other(runner, engine):
    engine.names = ("images", "class_ids")
    assert runner.outputs == ("class_ids",)
    with pytest.raises(ValueError, match="--output=both"):
        runner.logits(random_images(*SHAPE))


def assert_nothing_is_held(cuda):
    assert (cuda.blocks, cuda.streams) == ({}, {})


def test_too_little_memory_is_said_and_what_was_had_is_given_back(runner, cuda):
    cuda.memory = 3 * 32 * 64 + 10
    with pytest.raises(DeviceError, match=r"CUDA failed while .* ran: cudaErrorMemoryAllocation\."):
        runner.load()
    assert cuda.calls[:3] == ["cudaStreamCreate", "cudaMalloc", "cudaMalloc"]
    assert_nothing_is_held(cuda)
    # With more of it the same runner works.
    cuda.memory = 2**20
    images = random_images(*SHAPE)
    np.testing.assert_array_equal(runner(images), expected_ids(images))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("has_context", r"could not prepare .*model\.\w+: no reason given\."),
        ("takes_addresses", r"rejected the memory for images of .*model\.\w+"),
    ],
)
def test_an_engine_that_does_not_start_leaves_nothing(runner, engine, cuda, fault, message):
    setattr(engine, fault, False)
    with pytest.raises(DeviceError, match=message):
        runner.load()
    assert_nothing_is_held(cuda)


def test_a_run_that_fails_is_said_with_the_reason_in_the_log(runner, engine):
    images = random_images(*SHAPE)
    runner.load()
    engine.logger.errors.append("of long ago")
    engine.runs = False
    with pytest.raises(DeviceError, match=r"could not run .*: no kernel image is available\.$"):
        runner(images)


@pytest.mark.parametrize("name", ["cudaMemcpyAsync", "cudaStreamSynchronize"])
def test_what_cuda_reports_is_an_error(runner, cuda, name):
    cuda.failing.add(name)
    with pytest.raises(DeviceError, match=r"CUDA failed while .*: cudaErrorLaunchFailure\."):
        runner(random_images(*SHAPE))


def test_a_stream_that_cannot_be_made_is_an_error(runner, cuda):
    cuda.failing.add("cudaStreamCreate")
    with pytest.raises(DeviceError, match="cudaErrorLaunchFailure"):
        runner.load()
    assert_nothing_is_held(cuda)


def test_without_a_driver_it_is_the_device_that_is_missing(runner, cuda):
    cuda.has_driver = False
    runner.path.write_bytes(b"of another version")
    with pytest.raises(DeviceError, match=r"cannot be loaded by .* \(The engine plan file is not"):
        runner.load()


def test_an_engine_of_another_machine_is_refused_with_the_reason(runner, cuda):
    runner.path.write_bytes(b"of another version")
    with pytest.raises(ValueError, match=r"cannot be loaded by .* \(The engine plan file is not"):
        runner.load()
    assert cuda.calls == []


@pytest.mark.parametrize("shape", [(1, -1, 64, 3), (1, 32, -1, 3), (-1, 32, 64, 3)])
def test_an_engine_for_several_sizes_is_refused(runner, engine, cuda, shape):
    engine.shapes = FakeEngine(cuda, shape).shapes
    with pytest.raises(ValueError, match=r"several sizes.*build the engine for one size"):
        runner.load()
    assert cuda.calls == []


def test_an_engine_that_is_not_ours_is_refused(runner, engine, cuda):
    engine.dtype = DataType.FLOAT
    with pytest.raises(ValueError, match="was not exported by keras_fasterseg"):
        runner.load()
    assert cuda.calls == []


def test_threads_and_files_of_the_other_flavour_are_refused(runner, tmp_path):
    kind = type(runner)
    with pytest.raises(ValueError, match=r"uses no CPU threads\. Received: threads=2"):
        kind(runner.path, threads=2)
    other = next(name for _, name in FLAVOURS.values() if name != runner.path.name)
    (tmp_path / other).write_bytes(ENGINE)
    with pytest.raises(ValueError, match=f"The runtime {runner.runtime} runs {runner.runtime}"):
        kind(tmp_path / other)


@pytest.mark.parametrize(
    ("flavour", "message"),
    [
        ("tensorrt", "The runtime tensorrt needs NVIDIA's tensorrt: pip install tensorrt"),
        ("tensorrt_rtx", r"The runtime tensorrt_rtx needs .* \"keras_fasterseg\[rtx\]\""),
    ],
)
def test_a_machine_without_tensorrt_says_what_to_install(flavour, message, monkeypatch, tmp_path):
    kind, name = FLAVOURS[flavour]
    monkeypatch.setitem(sys.modules, flavour, None)
    with pytest.raises(RuntimeNotInstalledError, match=message):
        kind(tmp_path / name)


def test_a_machine_without_cudas_bindings_says_what_to_install(engine, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorrt", FakeTensorRt(engine))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(RuntimeNotInstalledError, match=r"CUDA's bindings.*install cuda-bindings"):
        TensorRtRunner(tmp_path / "model.plan")
