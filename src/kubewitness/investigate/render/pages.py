"""Pages of an investigation: one frame and one script, which filters what is listed."""

from __future__ import annotations

from typing import Any

from kubewitness.look.pages import page_assets, page_environment

_PACKAGE = "kubewitness.investigate.render"


def page(template: str, **values: Any) -> str:
    """A whole page.

    Args:
        template: name of a template without its suffix.
        values: what it shows; texts are escaped, `Markup` is not.
    """
    environment = page_environment(_PACKAGE, number="{:,}".format)
    return environment.get_template(f"{template}.html.jinja").render(**values, **page_assets(_PACKAGE, "pages"))
