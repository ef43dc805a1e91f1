"""The sealing port: texts that are stored or handed out so that only this installation can read them."""

from typing import Protocol

from longshore.domain.errors import LongshoreError


class Unsealable(LongshoreError):
    """This was not sealed by this installation, or for another purpose, or was changed since."""


class Sealer(Protocol):
    """Encrypts with a key of this installation."""

    def seal(self, plain: bytes, *, purpose: str) -> str:
        """A text that shows nothing of `plain`, and that cannot be changed or opened for another purpose."""
        ...

    def open(self, sealed: str, *, purpose: str) -> bytes:
        """Inverse of `seal`. Raises Unsealable."""
        ...
