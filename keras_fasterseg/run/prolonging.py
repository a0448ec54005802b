"""Checks of a finished training that is to be resumed for more epochs."""

from typing import Any

from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.inputs import network_input
from keras_fasterseg.run.names import NETWORK
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.setting import require


def more_epochs(recorded: dict[str, Any] | None, settings: dict[str, Any], role: str) -> int:
    """By how many epochs a finished training would grow; 0 if it would not, or not by that alone.

    Args:
        recorded: The settings that it was finished with; `None` if it is not finished.
        settings: Those that it would have now, as they are recorded.
        role: Whose training settings are meant.
    """
    if recorded is None or role not in recorded:
        return 0
    before = recorded[role]["epochs"]
    same = recorded == {**settings, role: {**settings[role], "epochs": before}}
    return max(0, settings[role]["epochs"] - before) if same else 0


def check_prolonging(workdir: Workdir, name: str, role: str, settings: dict[str, Any]) -> None:
    """Raises `ValueError` if the finished training `name` cannot have more epochs, and says why.

    Its schedule must not end with its epochs, it must have kept a checkpoint, and no other stage
    may have read its network, which would then be another's.
    """
    folder, epochs = workdir.path / name, settings["epochs"]
    checkpoints = Checkpoints(folder)
    reason = None
    if settings["schedule"] == "polynomial":
        reason = "its polynomial schedule has reached a learning rate of zero"
    elif not checkpoints.exist():
        reason = "it has no checkpoint to resume from"
    elif checkpoints.stopped():
        reason = f"it ended early, as --{role}_patience says"
    require(
        reason is None,
        f"{folder} is finished, and {reason}. To train on from its weights, set "
        f"--{role}_initial_weights={folder / NETWORK} and another workdir. "
        f"Received: --{role}_epochs={epochs}",
    )
    readers = workdir.readers(network_input(folder / NETWORK))
    require(
        not readers,
        f"{folder} is finished, and other stages have read its network. To prolong it, delete "
        f"them: {', '.join(map(str, readers))}. Received: --{role}_epochs={epochs}",
    )
