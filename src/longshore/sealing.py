"""Sealing with AES-256-GCM and a key that lies in a file of its own in the data folder.

It keeps secrets out of what leaves the folder without that file: copies and dumps of the database. Whoever can read
the whole folder can read the secrets.
"""

import base64
import os
import secrets
from hashlib import blake2b
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from longshore.domain.errors import LongshoreError
from longshore.ports.sealing import Unsealable

KEY_FILE = "sealing.key"
_KEY_BYTES = 32
#: Source: NIST SP 800-38D, section 8.2: 96 bits, which may be random for up to 2**32 texts of one key.
_NONCE_BYTES = 12
#: Begins what is sealed in this form.
_FORM = "1."


class SealingKeyLost(LongshoreError):
    """The sealing key cannot be used; one line that says why."""


class FileSealer:
    """A `Sealer` whose key is kept in a file for its owner alone (0600); made when it is not there."""

    def __init__(self, folder: Path) -> None:
        """Raises SealingKeyLost."""
        path = folder / KEY_FILE
        try:
            if not path.exists():
                _write_key(path)
            key = base64.b64decode(path.read_bytes().strip(), validate=True)
        except ValueError as problem:
            raise SealingKeyLost(f"{path}: is damaged: it should hold {_KEY_BYTES} bytes in base 64") from problem
        except OSError as problem:
            raise SealingKeyLost(f"{path}: cannot be used: {problem.strerror}") from problem
        if len(key) != _KEY_BYTES:
            raise SealingKeyLost(f"{path}: is damaged: it should hold {_KEY_BYTES} bytes in base 64")
        self._key = key
        self._cipher = AESGCM(key)

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for this purpose; the same as long as the sealing key is."""
        return blake2b(purpose.encode(), key=self._key, digest_size=_KEY_BYTES, person=b"derived").digest()

    def seal(self, plain: bytes, *, purpose: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plain, purpose.encode())
        return _FORM + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, *, purpose: str) -> bytes:
        try:
            if not sealed.startswith(_FORM):
                raise Unsealable
            whole = base64.b64decode(sealed.removeprefix(_FORM), altchars=b"-_", validate=True)
            return self._cipher.decrypt(whole[:_NONCE_BYTES], whole[_NONCE_BYTES:], purpose.encode())
        except (ValueError, InvalidTag):
            raise Unsealable from None


def _write_key(path: Path) -> None:
    """Afterwards there is a key at `path`: ours, or that of another process that was faster."""
    draft = path.with_suffix(f".{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()
