"""What the model that the safety check recommends is, in one sentence with its figures."""


def blend_sentence(guard: dict, figures: dict[str, dict[str, float | None]] | None) -> str:
    """Which way the recommended model lies, and both models measured.

    guard: a `guard_rule.Choice` as stored, with a share below 1; figures: of
    `run_picker.result_figures`, None without labels: then the agreement on crops stands for them.
    """
    share, evidence = guard["share"], guard["evidence"]
    what = (
        f"The blend moves every adapted value {100 * share:.0f} % of the way from the original to the "
        "adapted model"
        if share
        else "The recommended model is the original one, which adaptation has not changed"
    )
    if figures and "guarded" in figures:
        name = "hm" if figures["guarded"]["hm"] is not None else "acc"
        recommended, adapted = (figures[which][name] for which in ("guarded", "adapted"))
        if recommended is not None and adapted is not None:
            return f"{what}: {name.upper()} {recommended:.1f}, of the adapted model {adapted:.1f}."
    if not evidence:  # of an early version
        return f"{what}."
    blend, last = (100 * evidence[f"{s:g}"]["consistency"] for s in (share, 1.0))
    return (
        f"{what}: its predictions on random crops agree {blend:.0f} %, those of the adapted model "
        f"{last:.0f} %."
    )
