"""The presets: each is what its first lines say, and the paper's settings are the paper's."""

import json
import multiprocessing
import os
import pathlib
import re
import runpy
import shlex

import pytest
from absl import flags

from tests.shared import ROOT

PRESETS = sorted((ROOT / "flags" / "presets").glob("*.flags"))
COMMAND = re.compile(r"^#   python -m (tools\.\w+) (.+)$", re.MULTILINE)

# Where the constants are from. "search", "train": config_search.py and config_train.py of the
# released code (VITA-Group/FasterSeg), read there, as its train_search.py and train.py were; not in
# the presets. "paper": FasterSeg, sections 3 and 4 (arXiv 1912.10917), at second hand.
SUPERNET = {
    "num_layers": 16,  # search: C.layers
    "base_filters": 12,  # search: C.Fch
    "width_multipliers": [4 / 12, 6 / 12, 8 / 12, 10 / 12, 1.0],  # search: C.width_mult_list
    "student_width": 8 / 12,  # search: C.stem_head_width[1]
    "dataset": "cityscapes",
    "train_split": "train",  # search: C.train_source
    "val_split": "val",  # search: C.eval_source
}
PRETRAIN = {
    "pretrain_epochs": 20,  # paper; search: C.nepochs
    "pretrain_steps_per_epoch": 2975 // 2 // 3,  # search: C.niters_per_epoch
    "pretrain_batch_size": 3,  # search: C.batch_size
    "pretrain_crop_size": [256, 512],  # search: C.image_height, C.image_width
    "pretrain_downsample": 2,  # search: C.down_sampling
    "pretrain_learning_rate": 0.02,  # search: C.lr
    "pretrain_learning_rate_decay": 0.978,  # released train_search.py: ExponentialLR
    "pretrain_momentum": 0.9,  # search: C.momentum
    "pretrain_weight_decay": 5e-4,  # search: C.weight_decay
    "pretrain_clip_norm": 5.0,  # search: C.grad_clip
}
SEARCH = {
    "search_epochs": 30,  # paper; search: C.nepochs
    "search_steps_per_epoch": 2975 // 2 // 2,  # search: C.niters_per_epoch
    "search_batch_size": 2,  # search: C.batch_size
    "search_crop_size": [224, 448],  # search: C.image_height, C.image_width
    "search_downsample": 2,  # search: C.down_sampling
    "search_learning_rate": 0.01,  # search: C.lr
    "search_learning_rate_decay": 0.978,  # released train_search.py: ExponentialLR
    "search_momentum": 0.9,  # search: C.momentum
    "search_weight_decay": 5e-4,  # search: C.weight_decay
    "search_clip_norm": 5.0,  # search: C.grad_clip
    "search_architecture_learning_rate": 3e-4,  # search: C.arch_learning_rate
    "search_penalty_weight": 0.06,  # search: C.latency_weight, relative to 1000 / 165 ms
    "search_penalty_shares": "paper",
    "search_min_fps": 155.0,  # search: C.FPS_min
    "search_max_fps": 175.0,  # search: C.FPS_max
    "search_temperature": 1.0,  # paper: Gumbel softmax at 1
    "search_temperature_decay": 1.0,
}
TRAIN = {
    "epochs": 600,  # train: C.nepochs
    "steps_per_epoch": 1000,  # train: C.niters_per_epoch
    "batch_size": 12,  # train: C.batch_size
    "crop_size": [512, 1024],  # train: C.image_height, C.image_width
    "downsample": 1,  # train: C.down_sampling
    "learning_rate": 0.01,  # train: C.lr
    "learning_rate_decay": 0.992,  # released train.py: adjust_learning_rate
    "momentum": 0.9,  # train: C.momentum
    "weight_decay": 5e-4,  # train: C.weight_decay
    "auxiliary_weight": 0.2,  # released train.py
    "distillation_weight": 1.0,  # released train.py
    "distillation_reduction": "element_mean",  # released train.py: nn.KLDivLoss()
}
# Ye et al., IJCV 2022 (arXiv 2208.05271), at second hand; what is not in it is left out.
JOINT_SEARCH = {
    "space": "joint",
    "joint_stem_filters": 16,
    "joint_early_filters": 64,
    "joint_late_filters": 128,
    "joint_filter_choices": 9,
    "joint_filter_step": 4,
    "joint_dilations": [1, 2, 4, 8, 16],
    "joint_cross_entropy_weight": 100.0,
    "joint_operation_regularization": 30.0,
    "joint_width_regularization": 15.0,
    "joint_shrinking_ratio": 0.1,
    "joint_cost": "flops",
    "joint_flops_share": 0.6,
    "joint_flops_full": 11.16,
    "search_epochs": 200,
    "search_steps_per_epoch": 2975 // 6,
    "search_batch_size": 6,
    "search_crop_size": [512, 1024],
    "search_optimizer": "adam",
    "search_learning_rate": 3e-4,
    "search_schedule": "polynomial",
    "search_polynomial_power": 0.9,
    "search_weight_decay": 1e-4,
    "search_architecture_learning_rate": 2e-3,
    "search_architecture_beta_1": 0.9,
    "search_architecture_weight_decay": 1e-3,
    "search_architecture_clip_norm": 5.0,
    "search_penalty_weight": 1.0,
}
JOINT_TRAIN = {
    "epochs": 300,
    "steps_per_epoch": 2975 // 6,
    "batch_size": 6,
    "crop_size": [512, 1024],
    "scales": [1.0],
    "shift": 2,
    "optimizer": "adam",
    "learning_rate": 5e-4,
    "schedule": "polynomial",
    "polynomial_power": 0.9,
    "weight_decay": 1e-4,
    "auxiliary_weight": 0.0,
    "ohem_threshold": 1.0,  # a cross-entropy over all pixels
}
# Lin et al., CVPR 2020 (arXiv 1909.06793), recalled, and SNAS's released code; what is not known
# is left out.
GAS_SEARCH = {
    "space": "gas",
    "gas_cells": 14,
    "gas_initial_filters": 8,
    "gas_guidance": 0.5,
    "gas_guidance_features": 64,
    "search_epochs": 150,
    "search_optimizer": "sgd",
    "search_learning_rate": 0.025,
    "search_learning_rate_end": 0.001,
    "search_schedule": "cosine",
    "search_momentum": 0.9,
    "search_weight_decay": 3e-4,
    "search_clip_norm": 5.0,
    "search_architecture_learning_rate": 1e-3,
    "search_architecture_beta_1": 0.5,
    "search_architecture_weight_decay": 1e-3,
    "search_penalty_weight": 0.005,
    "search_temperature": 1.0,
    "search_temperature_end": 0.03,
}
DATA = {name: SUPERNET[name] for name in ("dataset", "train_split", "val_split")}
PAPER = {
    "cityscapes_pretrain": {**SUPERNET, **PRETRAIN},
    "cityscapes_search": {**SUPERNET, **SEARCH},
    "cityscapes_teacher": {**DATA, **{f"teacher_{name}": TRAIN[name] for name in TRAIN}},
    "cityscapes_student": {**DATA, **{f"student_{name}": TRAIN[name] for name in TRAIN}},
    "joint_cityscapes_search": {**DATA, **JOINT_SEARCH},
    "joint_cityscapes_train": {
        **DATA,
        **{f"student_{name}": JOINT_TRAIN[name] for name in JOINT_TRAIN},
    },
    "gas_cityscapes_search": {**DATA, **GAS_SEARCH},
}

# Tools define their flags when they are imported, so every tool is parsed in a fork of its own;
# what all of them import is loaded before.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["keras_fasterseg.jobs.train", "absl.app"])


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_the_command_of_the_first_lines_is_understood(preset, tmp_path):
    commands = COMMAND.findall(preset.read_text(encoding="utf-8"))
    assert commands
    for tool, arguments in commands:
        values = parsed(tool, shlex.split(arguments), tmp_path)
        presets = re.findall(r"--flagfile=flags/presets/(\w+)\.flags", arguments)
        assert preset.stem in presets
        expected = {key: value for name in presets for key, value in PAPER.get(name, {}).items()}
        assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize("name", PAPER)
def test_every_constant_is_written_out(name):
    text = (ROOT / "flags" / "presets" / f"{name}.flags").read_text(encoding="utf-8")
    written = re.findall(r"^--(\w+)=", text, re.MULTILINE)
    assert set(PAPER[name]) - set(written) == set()


@pytest.mark.parametrize("name", PAPER)
def test_the_first_lines_say_hours_and_result(name):
    text = (ROOT / "flags" / "presets" / f"{name}.flags").read_text(encoding="utf-8")
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert re.search(r"^# Hours: (about \d+ .*GTX 1080 Ti|not known)", comments, re.MULTILINE)
    assert re.search(r"^# Result: ", comments, re.MULTILINE)


def test_the_hours_follow_from_the_numbers_beside_them():
    rate = 3584 * 2 * 1.582e9 / 3  # operations a second that are assumed

    def hours(gmacs):
        return 2e9 * gmacs / rate / 3600

    stages = {
        "cityscapes_pretrain": hours(20 * 495 * 4 * 3 * 3 * 50.9),
        "cityscapes_search": hours(30 * 743 * 8 * 3 * 2 * 38.8),
        "cityscapes_teacher": hours(600_000 * 12 * 3 * 28.7),
        "cityscapes_student": hours(600_000 * 12 * (3 * 7.9 + 26.9)),
    }
    texts = {
        name: (ROOT / "flags" / "presets" / f"{name}.flags").read_text(encoding="utf-8")
        for name in stages
    }
    stated = {name: int(re.search(r"Hours: about (\d+)", texts[name])[1]) for name in stages}
    assert stated == {name: round(value) for name, value in stages.items()}
    whole = re.search(r"about (\d+) hours", texts["cityscapes_pretrain"])
    assert int(whole[1]) == sum(stated.values())


def parsed(tool: str, arguments: list[str], folder: pathlib.Path) -> dict:
    """The values of all flags of `tool` after it has parsed `arguments`."""
    path = folder / f"{tool}.json"
    process = _SERVER.Process(target=_parse, args=(tool, arguments, path))
    process.start()
    process.join(120)
    assert process.exitcode == 0, f"{tool} does not understand {arguments}"
    return json.loads(path.read_text(encoding="utf-8"))


def _parse(tool: str, arguments: list[str], path: pathlib.Path) -> None:
    os.chdir(ROOT)
    runpy.run_module(tool, run_name="parsed_tool")
    flags.FLAGS([tool, *arguments])
    values = flags.FLAGS.flag_values_dict()
    path.write_text(json.dumps(values, default=str), encoding="utf-8")
