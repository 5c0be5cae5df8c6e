"""What can go wrong for reasons that the user can mend.

KubewitnessError
├── UsageError         the command was asked for something it cannot do
├── UnreadableError    nothing of the input could be read
├── RuleError          a rule cannot be loaded
├── ListError          a list cannot be loaded
├── HuntError          a hunt cannot be loaded
├── ExceptionError     an exception cannot be loaded
├── PolicyError        an audit policy cannot be loaded
└── StoreError         a store cannot be read or written
"""

from __future__ import annotations


class KubewitnessError(Exception):
    """An error to show without a traceback.

    Attributes:
        message: what is wrong.
        where: file, line or JSON path, or None.
        hint: what to do about it, or None.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\nhint: {self.hint}" if self.hint else text


class UsageError(KubewitnessError):
    """The command was asked for something it cannot do."""


class UnreadableError(KubewitnessError):
    """Nothing of the input could be read."""


class RuleError(KubewitnessError):
    """A rule cannot be loaded."""


class ListError(KubewitnessError):
    """A list cannot be loaded."""


class HuntError(KubewitnessError):
    """A hunt cannot be loaded."""


class ExceptionError(KubewitnessError):
    """An exception cannot be loaded."""


class PolicyError(KubewitnessError):
    """An audit policy cannot be loaded."""


class StoreError(KubewitnessError):
    """A store cannot be read or written."""


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Why a file of text could not be read, in a few words."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"is no UTF-8 at byte {error.start + 1}"
