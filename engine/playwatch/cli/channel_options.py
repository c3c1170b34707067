"""A channel as it is written on a command line: ``NAME SERVICE OPTION=VALUE ...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECRETS: Final = {
    "pagerduty": ("integration_key",),
    "slack": ("webhook_url",),
    "webhook": ("url", "secret"),
}
_HIDDEN: Final = frozenset({"integration_key", "webhook_url", "secret", "headers"})
_LONGEST: Final = 64 * 1024


def channel_body(name: str, service: str, options: Iterable[str]) -> dict[str, Any]:
    """Return the object that adds a channel.

    Parameters
    ----------
    options
        ``OPTION=VALUE``, as in a configuration file: a value is JSON where it
        can be, else text; ``a.b=c`` is a key within a key; an option twice is
        a list; ``@FILE`` is what a file holds, ``@-`` standard input.

    Raises
    ------
    typer.BadParameter
        If one of them is none, or a secret stands open on the command line.
    """
    body: dict[str, Any] = {"name": name, "service": service}
    secrets = _SECRETS.get(service, ())
    for option in options:
        path, has_value, written = option.partition("=")
        if not path or not has_value:
            message = f"'{option}' is not OPTION=VALUE"
            raise typer.BadParameter(message)
        top, _, inner = path.partition(".")
        is_secret = top in _HIDDEN or path in secrets
        if is_secret and not written.startswith("@"):
            message = (
                f"{path} is a secret, and everybody on this machine can read a command line:"
                f" write {path}=@FILE, {path}=@- for standard input, or leave it out to be asked"
            )
            raise typer.BadParameter(message)
        value = _read(path, written[1:]) if written.startswith("@") else _value(written)
        holder, key = (body.setdefault(top, {}), inner) if inner else (body, top)
        if not isinstance(holder, dict):
            message = f"{top} has a value and keys of its own"
            raise typer.BadParameter(message)
        holder[key] = [*_listed(holder[key]), value] if key in holder else value
    for secret in secrets:
        if secret not in body and sys.stdin.isatty():
            body[secret] = typer.prompt(secret, hide_input=True, err=True)
    return body


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _value(written: str) -> Any:  # noqa: ANN401 - JSON
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return written
    # A number here is text that looks like one: no setting of a channel is a number.
    return written if isinstance(value, int | float) and not isinstance(value, bool) else value


def _read(path: str, file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read(_LONGEST).strip()
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(_LONGEST).strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        message = f"{path}: {file or 'no file'} cannot be read: {why}"
        raise typer.BadParameter(message) from None
