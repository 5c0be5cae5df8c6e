"""Options that name content of your own, as several commands have them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

RuleFolders = Annotated[
    list[Path] | None,
    Parameter(help="Folder or file of Sigma rules; may be given several times.", negative=()),
]
ListFolders = Annotated[
    list[Path] | None,
    Parameter(help="Folder or file of lists; may be given several times.", negative=()),
]
