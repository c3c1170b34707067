"""Pages that are files: one HTML file each, that needs nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from markupsafe import Markup

from playwatch.errors import PlaywatchError
from playwatch.web.charts import embedded, inline_script
from playwatch.web.rendering import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwatch.web.chart import Chart
    from playwatch.web.curves import Curves


class ReportError(PlaywatchError):
    """The environment's fault: the report cannot be written."""


def with_charts(template: str, charts: Sequence[Chart | Curves], **values: object) -> str:
    """Return a template that extends ``paper.html.j2``, with charts in it.

    Parameters
    ----------
    charts
        In the order of ``places``, which the template puts where they belong.
    values
        For the template, which escapes them.
    """
    script, places = embedded(charts)
    return render(
        template,
        places=[Markup(place) for place in places],  # noqa: S704 - made by the charts
        library=Markup(inline_script()) if charts else "",  # noqa: S704 - bokeh's own
        script=Markup(script),  # noqa: S704 - numbers and labels of ours
        **values,
    )


def write(path: Path, text: str) -> None:
    """Write a page; a reader never sees half of one.

    Raises
    ------
    ReportError
        If the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)  # noqa: PTH105 - one step, over what was there
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise ReportError(message) from None
