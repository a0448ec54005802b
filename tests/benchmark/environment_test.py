import datetime
import json
import platform

import keras
import numpy as np
import tensorflow as tf

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.environment import (
    cpu_model,
    describe_environment,
    describe_power,
    device_kind,
    package_versions,
)


def test_facts_are_plausible_and_fit_for_json():
    facts = describe_environment()
    json.dumps(facts, allow_nan=False)
    assert 1 <= facts["available_cores"] <= facts["logical_cores"]
    cores = available_cores()
    assert (facts["available_cores"], facts["cpu_quota"]) == (cores.logical, cores.quota)
    assert facts["memory_bytes"] > 2**27
    assert facts["python"] == platform.python_version()
    assert len(facts["load_average"]) == 3
    assert 0 <= facts["other_load"] <= 1
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(facts["date"])
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=1)


def test_versions_are_those_of_the_imported_packages():
    versions = package_versions()
    assert versions["keras"] == keras.__version__
    assert versions["numpy"] == np.__version__
    assert tf.__version__ in (versions.get("tensorflow"), versions.get("tensorflow-cpu"))


def test_cpu_model_is_read_from_the_list_of_processors(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast 9: Edition\nmodel name\t: Other\n")
    assert cpu_model(cpuinfo) == "Fast 9: Edition"


def test_cpu_model_falls_back_to_the_architecture(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n")
    expected = platform.processor() or platform.machine()
    assert cpu_model(tmp_path / "cpuinfo") == expected
    assert cpu_model(tmp_path / "missing") == expected


def test_power_names_the_governor(tmp_path):
    (tmp_path / "governor").write_text("powersave\n")
    assert describe_power(tmp_path / "governor")["governor"] == "powersave"
    power = describe_power(tmp_path / "missing")
    assert power["governor"] is None
    assert power["on_battery"] in (None, True, False)
    assert isinstance(power["gpu_limits_watts"], list)


def test_kinds_of_devices():
    cpus = ("CPU", "CPU (CPUExecutionProvider)", "CPU (ARM Neoverse-N1)")
    assert {device_kind(device) for device in cpus} == {"CPU"}
    gpus = ("CUDA (CUDAExecutionProvider)", "NVIDIA H200")
    assert {device_kind(device) for device in gpus} == {"GPU"}
