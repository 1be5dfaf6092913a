"""What the model that the safety check recommends is, in one sentence with its figures."""


def recommended_name(guard: dict) -> str:
    """The recommended model, as a sentence names it. guard: a `guard_rule.Choice` as stored"""
    share, model = guard["share"], guard.get("model", "")
    if share == 0:
        return "the original model"
    if share == 1:
        return "the adapted model"
    if model.isdigit():
        return f"the model after step {model}"
    if model:
        which = "the last models" if model == "late average" else "models"
        return f"the average of {which} along the run"
    return f"the {100 * share:.0f} % blend"


def blend_sentence(guard: dict, figures: dict[str, dict[str, float | None]] | None) -> str:
    """Which way the recommended model lies, and both models measured.

    guard: a `guard_rule.Choice` as stored, with a share below 1; figures: of
    `run_picker.result_figures`, None without labels: then what the choice was made by stands for them.
    """
    share, model, evidence = guard["share"], guard.get("model", ""), guard["evidence"]
    if not share:
        what = "The recommended model is the original one, which adaptation has not changed"
    elif model:
        what = f"The recommended model is {recommended_name(guard)}"
    else:
        what = (
            f"The blend moves every adapted value {100 * share:.0f} % of the way from the original to the "
            "adapted model"
        )
    if figures and "guarded" in figures:
        name = "hm" if figures["guarded"]["hm"] is not None else "acc"
        recommended, adapted = (figures[which][name] for which in ("guarded", "adapted"))
        if recommended is not None and adapted is not None:
            return f"{what}: {name.upper()} {recommended:.1f}, of the adapted model {adapted:.1f}."
    if not evidence:  # of an early version
        return f"{what}."
    if model:
        last = max((key for key in evidence if key.isdigit()), key=int)
        best, end = (evidence[key]["evidence"] for key in (model, last))
        return f"{what}: its evidence is {best:.2f} of 5, that of the adapted model {end:.2f}."
    blend, last_epoch = (100 * evidence[f"{s:g}"]["consistency"] for s in (share, 1.0))
    return (
        f"{what}: its predictions on random crops agree {blend:.0f} %, those of the adapted model "
        f"{last_epoch:.0f} %."
    )
