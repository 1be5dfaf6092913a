"""What the model that the safety check recommends is, beside the reason that is stored with it."""


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


def recommended_details(guard: dict, figures: dict[str, dict[str, float | None]] | None) -> str:
    """What the stored reason cannot say: what a blend is, and both models measured by labels.

    The reason names the recommended model and what it was chosen by, so neither stands here. Empty where
    there is nothing to add. guard: a `guard_rule.Choice` as stored, with a share below 1; figures: of
    `run_picker.result_figures`, None without labels.
    """
    sentences = []
    share = guard["share"]
    if share and not guard.get("model"):
        what = (
            f"The blend moves every adapted value {100 * share:.0f} % of the way from the original to the "
            "adapted model"
        )
        measured = guard["evidence"].get(f"{share:g}")  # none in an early version
        if measured and not figures:
            what += f"; its predictions on random crops agree {100 * measured['consistency']:.0f} %"
        sentences.append(f"{what}.")
    if figures and "guarded" in figures:
        name = "hm" if figures["guarded"]["hm"] is not None else "acc"
        recommended, adapted = (figures[which][name] for which in ("guarded", "adapted"))
        if recommended is not None and adapted is not None:
            sentences.append(
                f"{name.upper()} by the labels: {recommended:.1f} for the recommended model, {adapted:.1f} "
                "for the adapted model."
            )
    return " ".join(sentences)
