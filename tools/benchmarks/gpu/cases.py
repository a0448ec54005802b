"""The measurements of networks, as names: `NETWORK/bBATCH/PRECISION/BACKEND/MODEL/RUNNER`."""

import dataclasses
from collections.abc import Sequence
from typing import Any

NETWORKS = ("fasterseg_student", "fasterseg_teacher", "joint_published")
BATCHES = (1, 8)
# The first one is the reference of the others.
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
RUNNERS = {"jax": ("jit",), "torch": ("eager", "graph", "compile")}
# Modes of torch.compile. The last is for a rehearsal: it traces, but generates no code.
WITHOUT_GRAPHS = "max-autotune-no-cudagraphs"
TRACING_ONLY = "aot_eager"
BASELINE = ("torch", "plain", "compile")
# Changes of the plain network that are measured one by one and together.
VARIANTS = {
    "torch": (
        ("folded", "graph"),
        ("channels_last", "graph"),
        ("folded+channels_last", "graph"),
        ("folded+channels_last+products", "graph"),
        ("folded+channels_last+multiple=16", "graph"),
        ("folded+channels_last+multiple=64", "graph"),
        ("folded+channels_last", "compile"),
        ("folded+channels_last", "compile+graph"),
        ("folded+products", "compile+graph"),
    ),
    "jax": (
        ("folded", "jit"),
        ("folded+products", "jit"),
        ("folded+multiple=16", "jit"),
        ("folded+multiple=64", "jit"),
    ),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        network: A preset's name, or the path of a genotype's JSON file.
        batch: Images a call.
        precision: "fp32" (strict), "tf32", "bf16" or "fp16".
        backend: "jax" or "torch".
        model: "keras" for the network as it is, or "plain" with the changes to it, joined by "+":
            "folded", "channels_last", "products", "multiple=NUMBER".
        runner: "jit" on JAX; on PyTorch "eager", "graph" (a CUDA graph of the eager calls),
            "compile" (torch.compile) or "compile+graph".
    """

    network: str
    batch: int
    precision: str
    backend: str
    model: str
    runner: str

    @property
    def name(self) -> str:
        network = self.network.removesuffix(".json").rpartition("/")[2]
        return "/".join(
            (network, f"b{self.batch}", self.precision, self.backend, self.model, self.runner)
        )

    def options(self) -> dict[str, Any]:
        """The changes, as arguments of `PlainTorch` and `PlainJax`."""
        changes = self.model.split("+")[1:]
        parts = [change.partition("=") for change in changes]
        return {name: int(value) if value else True for name, _, value in parts}


def all_cases(
    networks: Sequence[str],
    batches: Sequence[int],
    precisions: Sequence[str],
    backends: Sequence[str],
) -> list[list[Case]]:
    """All cases in groups, the most important group first; a group has one backend.

    First every network with one image at a time, then with a batch, then the changes of the first
    network.
    """
    groups = []
    for batch in batches:
        for backend in backends:
            cases = [
                Case(network, batch, precision, backend, model, runner)
                for network in networks
                for runner in RUNNERS[backend]
                for precision in precisions
                for model in ("keras", "plain")
            ]
            # Compiling takes minutes; the rest comes first.
            groups.append(sorted(cases, key=lambda case: case.runner == "compile"))
    for backend in backends:
        groups.append(
            [
                Case(networks[0], batch, precision, backend, f"plain+{changes}", runner)
                for batch in batches
                for precision in precisions
                for changes, runner in VARIANTS[backend]
            ]
        )
    return groups
