"""The Adapt page's choices: dataset, backbone, method, preset and every setting."""

import streamlit as st

from ueo_core.config import presets
from ueo_core.config.methods import METHODS, RUNNABLE
from ueo_core.config.presets import DEFAULT_PRESET, PRESETS
from ueo_core.config.settings import Settings
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, list_datasets, open_dataset
from ui.adapt import fields, own_model, teaching
from ui.common import network, shell
from ui.common.job_progress import poll
from ui.common.learn_link import why
from ui.common.text import markdown

TEACHING = {
    "drawings-resnet": "teaching model, ResNet with batch normalization",
    "drawings-vit": "teaching model, ViT with layer normalization",
}
# Listed at once; the other open_clip models are listed once torch has been loaded.
SUGGESTED = (("RN50-quickgelu", "openai"), ("ViT-B-16-quickgelu", "openai"))
LISTED, OWN = "listed", "own"
KINDS = {
    LISTED: "From the list",  # short, and without icons: on Photos the column is narrow
    OWN: "My own model",
}
KEPT = "ueo.adapt"  # the choices; the state of widgets is lost when the page is left


def dataset() -> Dataset:
    """The dataset to adapt to; if none is ready, a button to the Data page, and the page stops."""
    datasets = list_datasets()
    if not datasets:
        st.info(
            "There are no images yet. Add your own, or draw the built-in sample.",
            icon=":material/info:",
        )
        if st.button("Add images", type="primary", icon=":material/photo_library:"):
            st.switch_page("pages/1_Data.py")
        st.stop()
    titles = {d.id: d.title for d in datasets}
    wanted = shell.parameter("data")
    st.session_state["adapt.data"] = wanted if wanted in titles else datasets[0].id
    id = st.selectbox(
        "Dataset",
        list(titles),
        format_func=lambda i: f"{titles[i]}  ({i})",
        key="adapt.data",
        on_change=lambda: shell.set_parameter("data", st.session_state["adapt.data"]),
    )
    chosen = open_dataset(id)
    if not chosen.ready:
        st.info("This dataset has no class names yet, and a run needs them.")
        if st.button("Add class names", type="primary", icon=":material/edit:"):
            st.switch_page("pages/1_Data.py", query_params={"data": id})
        st.stop()
    tests = (
        f", and {chosen.holdout['n']:,} labeled test images for scoring" if chosen.holdout else ""
    )
    st.caption(
        f"{chosen.pool['n']:,} unlabeled images, {len(chosen.classes)} classes "
        f"({markdown(_first_names(chosen.classes))}){tests}."
    )
    return chosen


def _first_names(names: tuple[str, ...], shown: int = 8) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


# The backbone


def backbone(dataset: Dataset) -> tuple[str, str | None]:
    """→ name and weights (tag, file, or None for a teaching model's own)."""
    kinds = KINDS if network.local() else {k: v for k, v in KINDS.items() if k != OWN}
    kept = st.session_state.get(KEPT, {}).get("backbone", "")
    if "backbone" in st.query_params or st.session_state.pop("adapt.use-real", False):
        st.session_state["adapt.kind"] = LISTED
    own = OWN in kinds and kept and kept == own_model.config()
    st.session_state.setdefault("adapt.kind", OWN if own else LISTED)
    kind = st.segmented_control(
        "Model",
        list(kinds),
        format_func=kinds.get,
        key="adapt.kind",
        required=True,
        on_change=_backbone_changed,
        label_visibility="collapsed",
    )
    chosen = own_model.choose() if kind == OWN else _listed()
    teaching.note(chosen[0], dataset, _use_real)
    return chosen


def has_backbone() -> bool:
    """Whether the widgets of `backbone` have their values in the session."""
    return "adapt.kind" in st.session_state


def put_backbone(name: str, pretrained: str | None) -> None:
    """Put a model into the widgets of `backbone`, before they are drawn."""
    if network.local() and own_model.is_own(name):
        st.session_state["adapt.kind"] = OWN
        own_model.put(name, pretrained)
        return
    st.session_state["adapt.kind"] = LISTED
    st.session_state["adapt.backbone"] = name
    st.session_state[f"adapt.pretrained.{name}"] = pretrained


def _use_real(name: str) -> None:
    """Select a full-size CLIP, with the settings of its preset."""
    st.session_state["adapt.use-real"] = True
    st.session_state["adapt.backbone"] = name
    _backbone_changed()


def _listed() -> tuple[str, str | None]:
    """A model of the list: those on this machine first."""
    rows = _open_clip_models()
    names = list(dict.fromkeys([*TEACHING, *(name for name, _ in SUGGESTED), *rows]))
    names.sort(key=lambda name: name not in TEACHING and not any(rows.get(name, {}).values()))
    kept = st.session_state.get(KEPT, {})
    linked = st.query_params.get("backbone")
    if linked:  # from a link: applied once, then the list below decides
        del st.query_params["backbone"]
        st.session_state["adapt.backbone"] = linked
        st.session_state.pop("adapt.preset", None)
    st.session_state.setdefault("adapt.backbone", kept.get("backbone") or names[0])
    if st.session_state["adapt.backbone"] not in names:
        names.append(st.session_state["adapt.backbone"])
    # Side by side where there is room: on Photos the column is narrow.
    fields = st.grid(2, min_column_width=230)
    name = fields.selectbox(
        "Backbone",
        names,
        key="adapt.backbone",
        on_change=_backbone_changed,
        format_func=lambda n: f"{n} · {TEACHING[n]}" if n in TEACHING else n,
        accept_new_options=network.local(),
        help="Any open_clip model, or the path of an open_clip config file (.json).",
    )
    if name in TEACHING:
        fields.selectbox(
            "Weights", ["included with the studio"], disabled=True, key="adapt.shipped"
        )
        return name, None
    return name, _weights(fields, name, rows.get(name, {}))


def _weights(place, name: str, available: dict[str, bool]) -> str | None:
    tags = list(available) or [tag for n, tag in SUGGESTED if n == name]
    tags.sort(key=lambda tag: not available.get(tag))  # those on this machine first
    kept = st.session_state.get(KEPT, {})
    first = kept.get("pretrained") if kept.get("backbone") == name else None
    key = f"adapt.pretrained.{name}"
    st.session_state.setdefault(key, first or (tags[0] if tags else None))
    if (now := st.session_state[key]) and now not in tags:
        tags.append(now)
    tag = place.selectbox(
        "Weights",
        tags,
        key=key,
        accept_new_options=network.local(),
        format_func=lambda t: f"{t}{_availability(available.get(t))}",
        placeholder="A tag, or a checkpoint file",
        help="An open_clip tag, or the path of a checkpoint file (safetensors).",
    )
    if tag in available and not available[tag]:
        st.caption(
            f"These weights are not on this machine; the run starts by downloading them "
            f"({markdown(tag)} for {markdown(name)})."
        )
    return tag


def _availability(available: bool | None) -> str:
    return {True: " · on this machine", False: " · not downloaded yet", None: ""}[available]


def _open_clip_models() -> dict[str, dict[str, bool]]:
    """open_clip's models: name → tag → whether it is on this machine; empty until torch has been loaded."""
    from ueo_core.models.hardware import this_machine

    job = shell.jobs().start("machine", "This machine", lambda job: this_machine())
    if job.running:
        poll("machine", lambda job: st.caption("Checking which models are on this machine …"))
    rows: dict[str, dict[str, bool]] = {}
    for row in job.result.backbones if job.result else ():
        if row["pretrained"] != "assets":
            rows.setdefault(row["name"], {})[row["pretrained"]] = row["available"]
    return rows


def _backbone_changed() -> None:
    fields.fill(
        presets.preset(st.session_state.get("adapt.preset") or DEFAULT_PRESET, _chosen_backbone())
    )


def _chosen_backbone() -> str:
    if st.session_state.get("adapt.kind") == OWN:
        return own_model.config() or next(iter(TEACHING))
    return st.session_state.get("adapt.backbone") or next(iter(TEACHING))


# Method, preset, settings


def settings(backbone: str, pretrained: str | None) -> Settings:
    """The chosen settings; if they are invalid, an error, and the page stops."""
    _restore(backbone)
    left, right = st.columns(2)
    with left:
        method = st.segmented_control(
            "Method",
            list(RUNNABLE),
            key="adapt.method",
            required=True,
            wrap=True,
            format_func=lambda m: METHODS[m].title,
        )
        st.caption(METHODS[method].about)
    with right:
        preset = st.segmented_control(
            "Preset",
            list(PRESETS),
            key="adapt.preset",
            required=True,
            wrap=True,
            format_func=lambda p: PRESETS[p].title,
            on_change=_preset_changed,
        )
        st.caption(PRESETS[preset].about)
    why("methods", "How the methods differ")
    with st.expander("All settings", icon=":material/tune:", key="adapt.drawer"):
        values = fields.draw()
    st.session_state[KEPT] = {
        "backbone": backbone,
        "pretrained": pretrained,
        "method": method,
        "preset": preset,
        **values,
    }
    try:
        return Settings(backbone=backbone, pretrained=pretrained, method=method, **values)
    except UserError as error:
        shell.problem(error)
        st.stop()


def _restore(backbone: str) -> None:
    """Fill the widgets on the first visit, from earlier choices or from the preset."""
    # Streamlit forgets widgets that a run of the page did not reach, so each is asked for.
    if "adapt.preset" in st.session_state and fields.filled():
        return
    kept = st.session_state.get(KEPT, {})
    st.session_state.setdefault("adapt.preset", kept.get("preset", DEFAULT_PRESET))
    st.session_state.setdefault("adapt.method", kept.get("method", "ueo"))
    base = presets.preset(st.session_state["adapt.preset"], backbone)
    same = kept.get("backbone") == backbone
    fields.fill(base.changed(**{f: kept[f] for f in fields.FIELDS}) if same else base)


def _preset_changed() -> None:
    fields.fill(presets.preset(st.session_state["adapt.preset"], _chosen_backbone()))
