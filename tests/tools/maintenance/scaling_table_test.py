"""The tables of simulated steps, of a file written by hand."""

from keras_fasterseg.files import write_json
from tests.tools.maintenance.markdown_rows import rows
from tools.benchmarks.scaling_model import Network
from tools.maintenance.scaling_table import scaling_markdown

SUMS = {
    "losses": {"operations": 2, "bytes": 8},
    "gradients": {"operations": 4, "bytes": 2_000_000},
    "statistic_gradients": {"operations": 10, "bytes": 100_000},
    "statistics": {"operations": 10, "bytes": 200_000},
    "hard_pixels": {"operations": 1, "bytes": 1_000_000},
}
# A latency of a tenth of a second in a node and nothing else.
NETWORK = Network(8, 1e30, 0.1, 1e30, 0.0)


def test_one_step(tmp_path):
    measured = {
        "images": [4, 64, 128, 3],
        "step_seconds": {"1": 30.0, "2": 50.0},
        "sums": SUMS,
        "loopback_bytes": 2_400_000.0,
    }
    write_json(tmp_path / "gas_search.json", measured)
    text = scaling_markdown([tmp_path / "gas_search.json"], NETWORK, speed_up=10)
    found = rows(text)
    assert found[1] == (
        ["gas search", "64x128", "30.00", "50.00", "26", "6", "2.00", "0.30", "1.00", "2.40"]
    )
    # 10 + 4 * 20 seconds alone; 26 sums.
    alone, eight = found[3], found[4]
    assert alone[1:] == ["4", "1", "90.00", "100", "9000.0", "100", "100", "0", "0"]
    assert eight[1:] == ["4", "8", "92.60", "97", "11600.0", "78", "26", "17", "3"]
    # A batch of 4 images on 4 devices: 3 seconds of computation each, of 9 alone.
    assert found[8][1:] == ["4", "4", "5600.0", "40", "36", "7"]
    changes = {row[0]: row[1:] for row in found[13:]}
    assert changes["none"] == ["default", "78, x1, > 65,536"]
    assert changes["statistics not synchronised"] == ["`sync_batch_norm`", "94, x1.2, > 65,536"]
    assert changes["few pixels are hard"] == ["happens", "77, x0.99, > 65,536"]
