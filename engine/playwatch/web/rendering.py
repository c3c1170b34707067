"""Templates as text: every value in them is escaped, a missing one is an error."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("playwatch.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """Return a template of the ``templates`` folder with values in it."""
    return _ENVIRONMENT.get_template(template).render(values)
