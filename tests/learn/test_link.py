"""The state of the page in the URL."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from ueo_core.learn.formula import EXERCISES, SYMBOLS
from ueo_core.learn.link import (
    CONTROLS,
    SIZES,
    VIEWS,
    Link,
    parameters,
    parse,
    settings_from_script,
)
from ueo_core.learn.scenes import ARROWS, DOTS, SCENES
from ueo_core.learn.triangle_settings import (
    IMAGES,
    KINDS,
    LOGIT_SCALE,
    PRESETS,
    STEPS,
    TriangleSettings,
)


def tenth(low, high):
    return st.integers(round(10 * low), round(10 * high)).map(lambda v: v / 10)


MOVED = st.dictionaries(
    st.integers(0, IMAGES - 1), st.tuples(st.integers(1, 98), st.integers(1, 98)), max_size=4
).map(lambda d: TriangleSettings(moved=tuple((k, *v) for k, v in d.items())).within().moved)
SETTINGS = st.builds(
    TriangleSettings,
    seed=st.integers(0, 999),
    share=st.integers(0, 16).map(lambda v: 5 * v),
    kind=st.sampled_from(list(KINDS)),
    sure=tenth(0.2, 0.8),
    trade=tenth(0, 3),
    temperature=tenth(1, LOGIT_SCALE),
    absent=st.booleans(),
    moved=MOVED,
)
LINKS = st.builds(
    Link,
    view=st.sampled_from(list(VIEWS)),
    scene=st.sampled_from(list(SCENES)),
    size=st.sampled_from(list(SIZES)),
    hide=st.sets(st.sampled_from(list(CONTROLS))).map(
        lambda s: tuple(c for c in CONTROLS if c in s)
    ),
    settings=SETTINGS,
    step=st.integers(0, STEPS),
    arrows=st.sampled_from(["", *ARROWS]),
    dots=st.sampled_from(["", *DOTS]),
    star=st.sampled_from(["", "0", "1"]),
    shade=st.sampled_from(["", "0", "1"]),
    trails=st.sampled_from(["", "0", "1"]),
    present=st.integers(0, 1),
    draw=st.integers(0, 999),
    ticks=st.integers(0, 255),
    reveal=st.integers(0, 1),
    line=st.integers(0, 100),
    picked=st.integers(0, 9999),
    temperature=tenth(1, 100),
    symbol=st.sampled_from(list(SYMBOLS)),
    predicted=st.integers(0, 3),
    played=st.integers(0, 1),
)


@given(LINKS)
def test_a_link_reproduces_the_whole_state(link):
    assert parse(parameters(link)) == link
    assert all(isinstance(v, str) for v in parameters(link).values())


def test_the_default_state_needs_no_parameters():
    assert parameters(Link()) == {}
    assert all(parameters(parse({"scene": s})).keys() <= {"scene"} for s in SCENES)


NAMES = (
    [f.name for f in fields(Link)] + [f.name for f in fields(TriangleSettings)] + ["zoom", "preset"]
)


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=20)))
def test_no_mistyped_link_fails(typed):
    link = parse(typed)
    assert link.settings == link.settings.within()
    assert parse(parameters(link)) == link


def test_bad_values_fall_back_and_numbers_are_clamped():
    link = parse({"scene": "nowhere", "step": "-5", "share": "900", "seed": "nan", "trade": "1e99"})
    assert link == Link(settings=TriangleSettings(share=80))
    assert parse({"hide": "knobs,everything,play"}).hide == ("knobs", "play")


def test_moved_images_are_read_from_a_link_and_clipped_to_the_triangle():
    assert parse({"moved": "3-30-40.12-0-99"}).settings.moved == ((3, 30, 40), (12, 1, 98))
    assert parse({"moved": "99-30-40.x-1-2.4-5.-1-2-3"}).settings.moved == ()
    assert parse({"moved": "5-10-10.5-20-20"}).settings.moved == ((5, 20, 20),)
    assert TriangleSettings(moved=((1, 50, 50),)).with_seed(3).moved == ()


def test_settings_from_the_script_are_checked_like_a_link():
    base = TriangleSettings(seed=4, trade=2.0)
    sent = {"share": 25, "kind": "one", "absent": True, "moved": [[2, 60, 30]], "trade": 99, "x": 1}
    assert settings_from_script(sent, base) == TriangleSettings(
        seed=4, share=25, kind="one", absent=True, moved=((2, 60, 30),), trade=3.0
    )
    assert settings_from_script({"kind": "nobody", "seed": None, "moved": "?"}, base) == base


def test_a_scene_and_a_preset_have_their_own_settings():
    assert parse({"scene": "wrong"}).settings == SCENES["wrong"].settings
    for name, preset in PRESETS.items():
        link = parse({"view": "triangle", "preset": name})
        assert link.settings == preset.settings
        assert len({p.settings for p in PRESETS.values()}) == len(PRESETS)


def test_every_exercise_leads_somewhere():
    for exercise in EXERCISES:
        link = parse(exercise.link)
        assert link.view == exercise.link["view"]
        if "preset" in exercise.link:
            assert link.settings == PRESETS[exercise.link["preset"]].settings


def test_importing_learn_loads_no_torch():
    import subprocess
    import sys

    code = "import sys, ueo_core.learn, ueo_core.learn.formula; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
