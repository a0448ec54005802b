"""The picture of the published student with what it costs."""

import pytest

from keras_fasterseg.reports.draw_architecture import draw_architecture
from keras_fasterseg.spaces.fasterseg.released_table import load_released_table
from keras_fasterseg.spaces.registry import load_preset
from keras_fasterseg.visualization.card import save_figure
from tests.shared import FIXTURES
from tests.visualization.svg_text import texts, texts_by_id

STUDENT = load_preset("fasterseg_student")


def test_facts_on_paper(tmp_path):
    path = tmp_path / "student.svg"
    save_figure(draw_architecture(STUDENT, (1024, 2048), name="mine"), path)
    # The golden numbers of the published student.
    facts = "3,421,875 parameters · 27.77 GMACs at 1024x2048"
    assert {f"mine · {STUDENT.id}", facts} <= set(texts(path))


def test_shares_and_frame_rate_by_the_released_table(tmp_path):
    table = load_released_table(FIXTURES / "latency_1080ti_trt5.json")
    path = tmp_path / "student.svg"
    save_figure(draw_architecture(STUDENT, (1024, 2048), table=table), path)
    # The golden latency: 5.701835681642834 ms.
    assert any(
        "predicted 175.4 FPS (5.70 ms) on NVIDIA GeForce GTX 1080 Ti" in t for t in texts(path)
    )
    shares = [
        float(line.removesuffix("%"))
        for lines in texts_by_id(path).values()
        for line in lines
        if line.endswith("%")
    ]
    assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares))
    assert STUDENT.id in texts(path)


def test_a_table_for_other_images_is_refused():
    table = load_released_table(FIXTURES / "latency_1080ti_trt5.json")
    with pytest.raises(ValueError, match="not 512x1024; use the same size for both"):
        draw_architecture(STUDENT, (512, 1024), table=table)
