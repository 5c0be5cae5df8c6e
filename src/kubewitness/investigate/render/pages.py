"""Pages of an investigation: self-contained HTML that loads nothing, so it works without a network.

Everything from the log is escaped by the templates. On top of that the content security policy of a page allows its own
script by its hash and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from datetime import datetime

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(template: str, **values: Any) -> str:
    """A whole page.

    Args:
        template: name of a template without its suffix.
        values: what it shows; texts are escaped, `Markup` is not.
    """
    environment = Environment(
        loader=PackageLoader("kubewitness.investigate.render"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"time": _time, "number": "{:,}".format}
    templates = files("kubewitness.investigate.render") / "templates"
    script = (templates / "pages.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(f"{template}.html.jinja").render(
        **values,
        style=Markup((templates / "pages.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=f"{_POLICY}; script-src 'sha256-{digest}'",
    )


def _finalize(value: Any) -> Any:
    """Make text from the log visible before it is escaped; our own markup passes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "no time"
