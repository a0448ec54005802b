"""The picture of a network: its text read back from the SVG, its colours from the pixels."""

import re

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.picture import lay_out
from keras_fasterseg.spaces.fasterseg.stages import network_stages
from keras_fasterseg.spaces.registry import load_preset
from keras_fasterseg.visualization.architecture import architecture_figure
from keras_fasterseg.visualization.card import WIDTH, save_figure
from tests.visualization.svg_text import texts, texts_by_id
from tests.visualization.three_branches import three_branches

STUDENT = load_preset("fasterseg_student")
SVG_LIMIT = 150_000


def random_shares(genotype, serving=True):
    names = [stage.name for stage in network_stages(genotype, (64, 64)) if not stage.training_only]
    names += ["serving"] * serving
    values = np.random.default_rng(0).dirichlet(np.ones(len(names)))
    return dict(zip(names, values, strict=True))


def lines_by_box(path):
    """The lines of text in each box."""
    found = {}
    for name, (line,) in texts_by_id(path).items():
        match = re.fullmatch(r"(.*)\.(\d)", name)
        if match:
            found.setdefault(match[1], []).append(line)
    return found


def test_operations_filters_and_shares_of_the_published_student(tmp_path):
    path = tmp_path / "student.svg"
    shares = random_shares(STUDENT)
    save_figure(architecture_figure(STUDENT, "a title", "some facts", shares), path)
    boxes = lines_by_box(path)
    assert set(boxes) == {box.name for box in lay_out(STUDENT, WIDTH, serving=True).boxes}

    def share(name):
        return f"{100 * shares[name]:.1f}%"

    assert boxes["stem.0"] == ["conv", "32", share("stem.0")]
    name = "branch_32_16_cell_02"
    assert boxes[name] == ["zoom 2x", "32", share(name)]
    assert boxes["branch_32_cell_03"][:2] == ["zoom", "128"]
    assert boxes["branch_16_cell_04"][:2] == ["conv 2x", "32"]
    assert boxes["branch_32_fusion_16"][:2] == ["join", "128"]
    assert boxes["fusion"][0] == "fuse"
    assert boxes["head"] == ["head", share("head")]
    assert boxes["serving"][-1] == share("serving")
    shown = [float(lines[-1].removesuffix("%")) for lines in boxes.values()]
    # Each is rounded by at most .05.
    assert sum(shown) == pytest.approx(100, abs=0.05 * len(shown))
    everything = texts(path)
    assert {"a title", "some facts", "1/8", "1/16", "1/32"} <= set(everything)
    # Explained is what is there, under the names that genotypes use.
    legend = " ".join(everything)
    assert "conv_2x_downup" in legend
    assert "skip" not in legend


def test_narrow_boxes_have_names_of_two_lines(tmp_path):
    path = tmp_path / "deep.svg"
    genotype = three_branches()
    save_figure(architecture_figure(genotype, "a", shares=random_shares(genotype)), path)
    # 10 twelfths of 8 * 12, which is a multiple of 8.
    assert lines_by_box(path)["branch_32_16_8_cell_03"][:3] == ["zoom", "2x", "80"]


def test_without_shares_there_is_no_per_cent(tmp_path):
    path = tmp_path / "small.svg"
    cells = (CellGenotype(0, 8, "conv", 1, 4 / 12), CellGenotype(3, 8, "conv_2x", 1, 8 / 12))
    small = FasterSegGenotype("fasterseg", 12, 16, 8 / 12, 8 / 12, (BranchGenotype(8, cells),))
    save_figure(architecture_figure(small, "small"), path)
    boxes = lines_by_box(path)
    assert boxes["branch_8_cell_01"] == ["conv 2x", "64"]
    assert not any("%" in line for line in texts(path))


def test_text_stays_within_its_box():
    figure = architecture_figure(three_branches(), "a", "b", random_shares(three_branches()))
    (axes,) = figure.axes
    figure.canvas.draw()
    boxes = {patch.get_gid(): patch.get_window_extent() for patch in axes.patches}
    checked = 0
    for text in axes.texts:
        if text.get_gid() is not None:
            box = boxes[text.get_gid().rpartition(".")[0]]
            extent = text.get_window_extent()
            assert box.x0 <= extent.x0, text
            assert extent.x1 <= box.x1, text
            assert box.y0 <= extent.y0, text
            assert extent.y1 <= box.y1, text
            checked += 1
    assert checked > 150


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_bytes_every_time_and_not_many(tmp_path, suffix):
    contents = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}{suffix}"
        figure = architecture_figure(three_branches(), "a", "b", random_shares(three_branches()))
        save_figure(figure, path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    if suffix == ".svg":
        assert len(contents[0]) < SVG_LIMIT


def test_a_box_has_the_colour_of_its_operation(tmp_path):
    path = tmp_path / "student.png"
    save_figure(architecture_figure(STUDENT, "a"), path)
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    boxes = {box.name: box for box in lay_out(STUDENT, WIDTH).boxes}
    vermilion, blue = (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)
    for name, color in (("branch_32_16_cell_02", vermilion), ("branch_32_16_cell_00", blue)):
        # Near the left edge no letter stands; a PNG is twice as fine.
        x, y = boxes[name].left
        assert np.abs(image[round(2 * y), round(2 * (x + 3))] - color).max() <= 2


def test_shares_of_some_stages_only_are_refused():
    shares = random_shares(STUDENT)
    del shares["head"]
    with pytest.raises(ValueError, match="has no value for head;"):
        architecture_figure(STUDENT, "a", shares=shares)
