import json

import pytest

from tests.tools.run_tool import run_tool, sentence


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["keras", "saved_model"])
def test_memory_does_not_grow_with_the_images(runner):
    finished = run_tool(
        "benchmarks.evaluation_memory",
        "--images=40",
        "--image_size=256x512",
        f"--runner={runner}",
        "--json",
    )
    assert finished.status == 0, finished.stderr
    result = json.loads(finished.stdout)
    assert list(result["rss_mib"]) == ["1", "10", "40"]
    assert result["logits_mib"] == 256 * 512 * 19 * 4 / 2**20
    # Thirty more images, and not a tenth of their logits more: the allocator's own ups and downs.
    assert result["rss_mib"]["40"] - result["rss_mib"]["10"] < 3 * result["logits_mib"]
    assert result["peak_rss_mib"] >= max(result["rss_mib"].values())


def test_the_table_has_a_line_for_each_count():
    arguments = ("--images=2", "--image_size=64x64", "--num_classes=3")
    finished = run_tool("benchmarks.evaluation_memory", *arguments)
    assert finished.status == 0, finished.stderr
    names = [line.rpartition("  ")[0].strip() for line in finished.stdout.splitlines()[2:]]
    assert names == ["after image 1", "after image 2", "peak", "one image's logits"]


def test_wrong_flags_are_said():
    assert "images" in sentence(run_tool("benchmarks.evaluation_memory", "--images=0"))
