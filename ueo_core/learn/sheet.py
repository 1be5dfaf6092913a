"""The teacher's notes with their numbers: as data, as one HTML file to print, as Markdown.

`python -c "from ueo_core.learn import sheet; print(sheet.markdown())"` prints the part of
docs/classroom.md.
"""

from dataclasses import dataclass

from jinja2 import PackageLoader

from ueo_core.drawings.sample import problem
from ueo_core.learn.demo import Demo, open_demo
from ueo_core.learn.lessons import BEFORE, DISCUSSION, LESSONS, TOTAL
from ueo_core.learn.link import Link
from ueo_core.learn.scenes import BACKBONE, ORDER, SCENES
from ueo_core.learn.sentence_numbers import of_eight, of_scores, of_trained, of_triangle
from ueo_core.report.html import POLICY, templates


@dataclass(frozen=True)
class Notes:
    """The notes on one scene, with numbers."""

    number: int
    title: str
    minutes: int
    ask: str
    expect: tuple[str, ...]
    wrong: tuple[tuple[str, str], ...]  # (answer, reply)


def fields(demo: Demo) -> dict:
    """The numbers of every scene as it starts."""
    wrong = of_triangle(SCENES["wrong"].settings)
    return {
        **of_trained(demo, 0, demo.model.original),
        **of_triangle(SCENES["weights"].settings),
        **of_eight(demo, Link().draw),
        **{f"score_{k}": v for k, v in of_scores(demo, Link().line).items()},
        "pool": len(demo.problem.pool),
        "wrong_weights": wrong["weights"],
        "wrong_confidence": wrong["ueo_confidence"],
    }


def notes(demo: Demo) -> list[Notes]:
    """The notes on all scenes, in their order."""
    numbers = fields(demo)
    fill = lambda text: text.format_map(numbers)  # noqa: E731
    return [
        Notes(
            number,
            SCENES[scene].title,
            LESSONS[scene].minutes,
            fill(LESSONS[scene].ask),
            tuple(fill(s.text) for s in LESSONS[scene].expect),
            tuple((w.answer, fill(w.reply.text)) for w in LESSONS[scene].wrong),
        )
        for number, scene in enumerate(ORDER, 1)
    ]


def html(demo: Demo) -> str:
    """The notes as one HTML file for A4 paper: nothing is fetched, nothing runs."""
    sheets = templates().overlay(loader=PackageLoader("ueo_core.learn"))
    return sheets.get_template("teacher.html").render(
        policy=POLICY, notes=notes(demo), before=BEFORE, discussion=DISCUSSION, total=TOTAL
    )


def markdown(demo: Demo | None = None) -> str:
    """The notes as Markdown; without a demo, that of the teaching model."""
    parts = [f"The lesson takes {TOTAL} minutes, {DISCUSSION} of them for questions at the end."]
    parts += [f"- {line}" for line in BEFORE]
    for note in notes(demo or open_demo(BACKBONE, problem())):
        wrong = "\n".join(f"- “{answer}” {reply}" for answer, reply in note.wrong)
        parts.append(
            f"\n### {note.number} · {note.title} ({note.minutes} minutes)\n\n"
            f"**Ask.** {note.ask}\n\n**Expect.** {' '.join(note.expect)}\n\n"
            f"**Common wrong answers**\n\n{wrong}"
        )
    return "\n".join(parts)
