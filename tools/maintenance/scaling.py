"""Simulates steps of 8, 64 and 512 devices from results of `tools.benchmarks.communication`.

    python -m tools.maintenance.scaling --measured=docs/results/communication/gas_search.json

All constants of the network are assumed. Tables are printed as Markdown.
"""

from tools import command  # isort: skip

from absl import flags

from tools.benchmarks.scaling_model import Network

_ASSUMED = Network()

MEASURED = flags.DEFINE_list("measured", [], "Result files of tools.benchmarks.communication.")
SPEED_UP = flags.DEFINE_float(
    "speed_up", 100.0, "Speed of a device, as a multiple of the measured core's.", lower_bound=1.0
)
NODE_DEVICES = flags.DEFINE_integer(
    "node_devices", _ASSUMED.node_devices, "Devices of a node.", lower_bound=1
)
NODE_GIGABYTES = flags.DEFINE_float(
    "node_gigabytes",
    _ASSUMED.node_bytes_per_second / 1e9,
    "Bandwidth of a device within its node, in GB/s.",
    lower_bound=1e-3,
)
NODE_MICROSECONDS = flags.DEFINE_float(
    "node_microseconds", _ASSUMED.node_seconds * 1e6, "Latency of a sum within a node, in µs."
)
LINK_GIGABYTES = flags.DEFINE_float(
    "link_gigabytes",
    _ASSUMED.link_bytes_per_second / 1e9,
    "Bandwidth of a node to others, in GB/s.",
    lower_bound=1e-3,
)
HOP_MICROSECONDS = flags.DEFINE_float(
    "hop_microseconds", _ASSUMED.hop_seconds * 1e6, "Latency of one hop between nodes, in µs."
)
flags.register_validator("measured", bool, "Name at least one file.")


def main() -> None:
    from tools.maintenance.scaling_table import scaling_markdown

    network = Network(
        NODE_DEVICES.value,
        NODE_GIGABYTES.value * 1e9,
        NODE_MICROSECONDS.value / 1e6,
        LINK_GIGABYTES.value * 1e9,
        HOP_MICROSECONDS.value / 1e6,
    )
    print(scaling_markdown(MEASURED.value, network, SPEED_UP.value))


if __name__ == "__main__":
    command.run(main)
