"""What stands around the names of classes in texts, and the names that a model cannot tell apart."""

import re

from ueo_core.utils.errors import UserError

OPENAI = "openai"  # OpenAI's 80 templates for ImageNet, as open_clip has them


def split_templates(text: str) -> tuple[str, ...]:
    """The templates of the setting `templates`: separated by | or on lines of their own.

    `openai` and no text stay as they are. UserError for a template without {}, which stands for the
    name of the class.
    """
    found = tuple(" ".join(part.split()) for part in re.split(r"[|\n]", text) if part.strip())
    for template in found:
        if "{}" not in template and found != (OPENAI,):
            raise UserError(
                f"Template {shown(template)}: it has no {{}} for the name of the class; write it like "
                f"“a sketch of a {{}}.”, or {OPENAI} alone for OpenAI's 80 templates."
            )
    return found


def shown(text: str) -> str:
    """A name as errors and remarks quote it; escaped where it cannot be printed."""
    return ascii(text[:60]) if not text.isprintable() else f"“{text[:60]}”"


def same_text(name: str, owner: str, other: str, its_owner: str, model: str = "CLIP") -> UserError:
    """The error for two names, of two classes or of one, that a model cannot tell apart."""
    if owner == its_owner and name == other:
        return UserError(
            f"Class names: {shown(name)} is given twice for {shown(owner)}; keep it once."
        )
    if name == other:
        return UserError(
            f"Class names: {shown(name)} is a name of both {shown(owner)} and {shown(its_owner)}; "
            "keep it at one of them."
        )
    of = [
        shown(n) if n == o else f"{shown(n)} of {shown(o)}"
        for n, o in ((name, owner), (other, its_owner))
    ]
    return UserError(
        f"Class names: {of[0]} and {of[1]} are the same text for {model}; keep one of them."
    )
