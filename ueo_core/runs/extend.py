"""A finished run is trained on: what its state must say for that."""

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError


def extension(folder: RunFolder, epochs: int) -> dict:
    """The details that add `epochs` to a finished run, from the step at which it ended.

    They are written together with the new state, so that a kill leaves all or nothing.
    UserError for a number of epochs that no run can have.
    """
    settings, step = folder.settings, folder.state["step"]
    longer = settings.changed(extensions=(*settings.extensions, (step, epochs)))
    return {
        "extensions": [list(leg) for leg in longer.extensions],
        "steps": steps_in_all(folder.config["pool"]["n"], longer),
    }


def queue_up(folder: RunFolder, epochs: int | None = None) -> None:
    """Make a run ready to be carried out by the process that holds its claim.

    Whatever state a process that is gone has left behind; `epochs` trains a finished one on.
    UserError for a finished run without `epochs`, or for any other with them.
    """
    state = folder.state["state"]
    if state == "finished" and epochs is None:
        raise UserError(
            f"Run “{folder.path}”: it is finished; train it on with --epochs N, or start a new one."
        )
    if state != "finished" and epochs is not None:
        raise UserError(
            f"Run “{folder.path}”: it is {state} and only a finished run can be trained on; resume it "
            "without --epochs first."
        )
    if epochs is not None:
        folder.move("extend", **extension(folder, epochs))
    elif state != "queued":
        if state in ("running", "stopping"):
            folder.move("interrupt")
        folder.move("resume")
