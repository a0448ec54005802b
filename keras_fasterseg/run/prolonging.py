"""Checks for resuming a finished training for more epochs."""

from typing import Any

from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.inputs import network_input
from keras_fasterseg.run.names import NETWORK
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.setting import require


def more_epochs(recorded: dict[str, Any] | None, settings: dict[str, Any], role: str) -> int:
    """Returns the number of epochs to add to a finished training.

    Returns 0 if there are none to add, or if any other setting has changed.

    Args:
        recorded: Settings that the training was finished with; `None` if it is not finished.
        settings: Its present settings, in the form that is recorded.
        role: Role whose training settings are compared.
    """
    if recorded is None or role not in recorded:
        return 0
    before = recorded[role]["epochs"]
    same = recorded == {**settings, role: {**settings[role], "epochs": before}}
    return max(0, settings[role]["epochs"] - before) if same else 0


def check_prolonging(workdir: Workdir, name: str, role: str, settings: dict[str, Any]) -> None:
    """Raises `ValueError` with the reason if the finished training `name` cannot be prolonged.

    Its schedule must not depend on the number of epochs, and it must not have ended early. It must
    have kept a checkpoint. No other stage may have read its network, which would change.
    """
    folder, epochs = workdir.path / name, settings["epochs"]
    checkpoints = Checkpoints(folder)
    reason = None
    if settings["schedule"] != "exponential":
        reason = f"its {settings['schedule']} schedule has reached a learning rate of zero"
    elif not checkpoints.exist():
        reason = "it has no checkpoint to resume from"
    elif checkpoints.stopped():
        reason = f"it ended early because of --{role}_patience"
    require(
        reason is None,
        f"{folder} is finished, and {reason}. To continue from its weights, set "
        f"--{role}_initial_weights={folder / NETWORK} and choose another workdir. "
        f"Received: --{role}_epochs={epochs}",
    )
    readers = workdir.readers(network_input(folder / NETWORK))
    require(
        not readers,
        f"{folder} is finished, and other stages have used its network. To prolong it, delete "
        f"them: {', '.join(map(str, readers))}. Received: --{role}_epochs={epochs}",
    )
