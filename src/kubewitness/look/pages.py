"""Pages: self-contained HTML that loads nothing, so it works without a network.

Everything from the log is made visible and escaped by the templates. On top of that the content security policy of a
page allows its own script by its hash and nothing else: no other script, no image, no connection.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_LONGEST_PLACE = 44
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content security policy of a page without a script."""


def page_environment(package: str, **filters: Callable[..., Any]) -> Environment:
    """Where the templates of a package are, and the frame of all pages.

    Texts are made visible and escaped, `Markup` is neither.

    Args:
        package: name of the package with a folder `templates`.
        filters: besides `time`, and `place` for the place of a record.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("kubewitness.look")]),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"time": _time, "place": _place, **filters}
    return environment


def page_assets(package: str, name: str, *, has_script: bool = True) -> dict[str, Any]:
    """`style`, `script` and `policy` of a page.

    Args:
        package: name of the package whose `templates` have them.
        name: of its style, which comes after that of all pages, and of its script, without suffix.
        has_script: whether there is one.
    """
    templates = files(package) / "templates"
    styles = (files("kubewitness.look") / "templates" / "base.css", templates / f"{name}.css")
    style = Markup("".join(each.read_text(encoding="utf-8") for each in styles))  # noqa: S704 - our own files
    if not has_script:
        return {"style": style, "script": None, "policy": Markup(POLICY)}  # noqa: S704 - our own
    script = (templates / f"{name}.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "style": style,
        "script": Markup(script),  # noqa: S704 - our own file
        "policy": f"{POLICY}; script-src 'sha256-{digest}'",
    }


def _finalize(value: Any) -> Any:
    """Make text from the log visible before it is escaped; our own markup passes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _place(origin: object) -> str:
    """File and line, of a long path its end: what all files of a log have in common says least."""
    text = str(origin)
    if len(text) <= _LONGEST_PLACE:
        return text
    tail = text[-_LONGEST_PLACE:]
    return f"…/{tail.partition('/')[2] or tail}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "no time"
