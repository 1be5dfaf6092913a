"""Train a finished run longer: the new details of its state."""

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError


def extension(folder: RunFolder, epochs: int) -> dict:
    """The state details that add `epochs` to a finished run, from its last step.

    They are written together with the new state, so that a kill leaves all of it or nothing.
    UserError if the number of epochs is out of range.
    """
    settings, step = folder.settings, folder.state["step"]
    longer = settings.changed(extensions=(*settings.extensions, (step, epochs)))
    return {
        "extensions": [list(leg) for leg in longer.extensions],
        "steps": steps_in_all(folder.config["pool"]["n"], longer),
    }


def queue_up(folder: RunFolder, epochs: int | None = None) -> None:
    """Set a run's state to queued, in the process that holds its lock.

    The run may have any state that an ended process has left. epochs: further epochs of a finished
    run. UserError for a finished run without `epochs`, or for any other run with them.
    """
    state = folder.state["state"]
    if state == "finished" and epochs is None:
        raise UserError(
            f"Run “{folder.path}”: it is finished; train it longer with --epochs N, or start a new run."
        )
    if state != "finished" and epochs is not None:
        raise UserError(
            f"Run “{folder.path}”: it is {state}, and only a finished run can be trained longer; resume it "
            "without --epochs first."
        )
    if epochs is not None:
        folder.move("extend", **extension(folder, epochs))
    elif state != "queued":
        if state in ("running", "stopping"):
            folder.move("interrupt")
        folder.move("resume")
