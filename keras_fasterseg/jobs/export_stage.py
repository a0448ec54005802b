"""Stage `export` of a run: exports its networks as SavedModels, with proof and scores."""

import pathlib
from collections.abc import Sequence

from absl import logging

from keras_fasterseg.files import write_json
from keras_fasterseg.jobs.evaluate import evaluate
from keras_fasterseg.jobs.export import export
from keras_fasterseg.run.run import Run
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.roles import STUDENT

# Few: the SavedModel is then scored on all validation images.
PROOF_IMAGES = 4


def export_stage(run: Run, roles: Sequence[str]) -> pathlib.Path:
    """Exports and scores the trained networks of `roles` into `export/`; returns that folder.

    For each role it holds `ROLE/1`, a SavedModel, and `ROLE.json`, its scores on the validation
    split.

    Raises:
        OSError: A network is not trained, or the folder cannot be written.
    """
    # The student's dependencies include the teacher's: a network that is trained again is exported
    # again.
    depends = run.workdir.recorded(STUDENT)
    if depends is None or any(run.workdir.recorded(role) is None for role in roles):
        raise FileNotFoundError(f"{run.path} has no finished stages {' and '.join(roles)}.")
    source = run.source

    def export_all(folder: pathlib.Path) -> None:
        for role in roles:
            target = folder / role / "1"
            export_proven(run, run.network(role), target)
            result = evaluate(target, source, run.data.val_split)
            logging.info("%s: mIoU %.4f with the SavedModel", role, result.miou)
            write_json(folder / f"{role}.json", result.to_json())

    inputs = run.scored_inputs(roles)
    return run.workdir.stage("export", depends, export_all, inputs=inputs)


def export_proven(run: Run, network: pathlib.Path, target: pathlib.Path) -> None:
    """Exports a trained network as a SavedModel, with a proof on a few images of the run's data."""
    settings = ExportSettings(proof_images=PROOF_IMAGES)
    export(
        network,
        target,
        settings,
        run.source,
        val_split=run.data.val_split,
        overwrite=True,
    )
