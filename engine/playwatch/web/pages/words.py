"""Values as people read them: times, durations, numbers, and names that may be hostile."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, LiteralString
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

from playwatch.channels.wording import headline, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from playwatch.core.incidents import Incident

NAME_LIMIT: Final = 80
"""Characters of a name that a list shows; a page of its own shows `TEXT_LIMIT`."""
TEXT_LIMIT: Final = 10_000
NOTHING: Final = "\N{EN DASH}"
"""Stands where there is no value."""

# Controls, marks that turn the direction of writing, and what has no width. The
# two joiners stay: scripts and emoji need them.
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_THOUSAND: Final = 1000


def filled(template: LiteralString, *values: object) -> Markup:
    """Return a template of ours with values in its ``{}``, all but numbers escaped.

    Notes
    -----
    Does what `Markup.format` does in a tenth of the time, and a page has a
    thousand of these.
    """
    safe = [one if isinstance(one, (int, float)) else escape(one) for one in values]
    return Markup(template.format(*safe))  # noqa: S704 - a literal, and nothing else unescaped


def shown(text: object, limit: int = TEXT_LIMIT) -> str:
    """Return a text in which everything can be seen, of at most so many characters.

    White space becomes plain spaces, line ends included. Marks that hide
    something or turn the direction of writing are spelled out: ``[U+202E]``.
    """
    line = " ".join(str(text).split())
    return shortened(_HIDDEN.sub(_spelled, line[: 4 * limit]), limit)


def _spelled(found: re.Match[str]) -> str:
    return f"[U+{ord(found.group()):04X}]"


def name(text: object, limit: int = NAME_LIMIT) -> Markup:
    """Return a name as an element of its own direction, whole in its title when cut."""
    whole = shown(text)
    cut = shortened(whole, limit)
    if cut == whole:
        return filled("<bdi>{}</bdi>", whole)
    return filled('<bdi title="{}">{}</bdi>', shortened(whole, 1000), cut)


def group(breakdowns: Iterable[tuple[str, str]], limit: int = NAME_LIMIT) -> Markup:
    """Return a group as elements, a pair each: ``country = DE``."""
    pairs = [
        filled(
            '<span class="pair"><span class="key">{}</span>&#8202;=&#8202;{}</span>',
            name(key, limit),
            name(value or "(none)", limit),
        )
        for key, value in breakdowns
    ]
    return Markup(" ").join(pairs) if pairs else Markup('<span class="quiet">everything</span>')


def clock(at: int | None) -> Markup:
    """Return a time as an element: date and time in UTC."""
    if at is None:
        return Markup("")
    try:
        moment = datetime.fromtimestamp(at / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return escape(at)
    return filled(
        '<time datetime="{}">{}</time>',
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        moment.strftime("%-d %b %H:%M:%S"),
    )


def lasted(ms: float) -> str:
    """Return how long something took: ``3 min 20 s``, ``2 h 5 min``, ``4 d 2 h``."""
    seconds = max(0, round(ms / 1000))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((number for number, (count, _) in enumerate(parts) if count), 3)
    told = parts[first : first + 2]
    return " ".join(f"{count} {unit}" for count, unit in told if count) or "0 s"


def number(value: float | None) -> str:
    """Return a value with three significant digits; nothing where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value:.3g}"


def rounded(value: float) -> str:
    """Return a great number with two significant digits: ``720,000``."""
    return f"{float(f'{value:.2g}'):,.0f}"


def quantity(value: float | None, unit: str = "") -> str:
    """Return a value with its unit."""
    said = number(value)
    return f"{said} {unit}" if unit and said != NOTHING else said


def title(incident: Incident) -> str:
    """Return what an incident is about, in one line."""
    return shown(headline(incident), 300)


def link(url: str) -> str:
    """Return a web address, or nothing where a text is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.netloc else ""


def path(text: str) -> str:
    """Return a text as one part of an address."""
    return quote(text, safe="")


FILTERS: Final[dict[str, Callable[..., object]]] = {
    "clock": clock,
    "group": group,
    "lasted": lasted,
    "link": link,
    "metric": lambda key: str(key).replace("_", " "),
    "name": name,
    "number": number,
    "path": path,
    "quantity": quantity,
    "rounded": rounded,
    "shown": shown,
    "title_of": title,
}
"""What templates may put behind a ``|``."""
