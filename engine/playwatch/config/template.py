"""The ``summary`` of a rule: a text with named fields."""

from __future__ import annotations

import difflib
import re
from string import Formatter
from typing import TYPE_CHECKING, Final

from playwatch.config.fields import mistake
from playwatch.core.summary import FIELDS

if TYPE_CHECKING:
    from collections.abc import Collection

LENGTH_LIMIT: Final = 1024
"""What PagerDuty keeps of a summary."""

_SAMPLES: Final[dict[str, float | int | str]] = {
    "value": 1.5, "bound": 5.0, "views": 100, "affected": 10, "flaps": 2,
    "expected": 1.5,
}  # fmt: skip
# A width of three digits pads a summary beyond use.
_WIDE: Final = re.compile(r"[0-9]{3}")


def check_template(template: str, by: Collection[str] | None) -> None:
    """Refuse a template that could not be filled for every incident.

    Parameters
    ----------
    template
        Text with fields such as ``{value:.1f}``.
    by
        The dimensions that it may name; None when they are not known, so any
        name passes.

    Raises
    ------
    PydanticCustomError
        With the field that is wrong.
    """
    if len(template) > LENGTH_LIMIT:
        message = f"is longer than {LENGTH_LIMIT} characters"
        raise mistake(message)
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        message = "a brace is not closed, or not opened"
        raise mistake(message, "write {{ and }} for plain braces") from None
    for _, name, spec, conversion in parts:
        if name is not None:
            _check_name(name, by)
            _check_spec(name, spec or "", conversion)


def _check_name(name: str, by: Collection[str] | None) -> None:
    known = {*FIELDS, *(by or ())}
    if name in known or (by is None and name and not set(name) & set(".[")):
        return
    if not name or name.isdigit():
        message = "a field has no name"
        raise mistake(message, "write {value}, {bound}, {views} or a name in by")
    if re.split(r"[.\[]", name)[0] in known:
        message = f"{{{name}}} looks into a field"
        raise mistake(message, "a field is only its name")
    near = difflib.get_close_matches(name, known, n=1)
    wish = f"did you mean {{{near[0]}}}?" if near else f"known are {', '.join(sorted(known))}"
    message = f"{{{name}}} is neither a known field nor a dimension in by"
    raise mistake(message, wish)


def _check_spec(name: str, spec: str, conversion: str | None) -> None:
    if conversion or "{" in spec or _WIDE.search(spec):
        message = f"the format of {{{name}}} is not supported"
        raise mistake(message, "write {value:.1f}, {views:,} or the name alone")
    sample = _SAMPLES.get(name, "text")
    try:
        format(sample, spec)
    except ValueError:
        kind = "a text" if isinstance(sample, str) else "a number"
        message = f"'{spec}' cannot format {{{name}}}, which is {kind}"
        raise mistake(message, "write {value:.1f}, {views:,} or the name alone") from None
