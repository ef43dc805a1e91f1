"""The image of the containers that hold what the containers of one node share: one program, which waits for ever.

It is made here and imported into the engine when it is first needed, so that nothing has to be pulled for it. Pure.
"""

import io
import struct
import tarfile

HOLDER_IMAGE = "longshore-holder:1"
HOLDER_COMMAND = "/hold"

#: By the engine's name of a processor: its number in ELF, and `for (;;) pause();` in its machine code.
_PROGRAMS = {
    "x86_64": (62, bytes.fromhex("b822000000 0f05 ebf7")),
    # there is no pause(): ppoll() of nothing, without an end
    "aarch64": (
        183,
        bytes.fromhex("000080d2 010080d2 020080d2 030080d2 040080d2 280980d2 010000d4 f9ffff17"),
    ),
}
_LOADED_AT = 0x400000
_HEADERS_LENGTH = 64 + 56
#: largest page of any of these processors
_ALIGNMENT = 0x10000


def holder_archive(architecture: str) -> bytes | None:
    """The image's one layer; None for a processor that there is no program for."""
    found = _PROGRAMS.get(architecture)
    if found is None:
        return None
    program = _executable(*found)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(HOLDER_COMMAND.lstrip("/"))
        member.mode, member.size = 0o755, len(program)
        tar.addfile(member, io.BytesIO(program))
    return archive.getvalue()


def _executable(machine: int, code: bytes) -> bytes:
    """A static ELF file with `code` alone. Source: elf(5)."""
    length = _HEADERS_LENGTH + len(code)
    identity = b"\x7fELF" + bytes([2, 1, 1])
    entry = _LOADED_AT + _HEADERS_LENGTH
    header = struct.pack("<16sHHIQQQIHHHHHH", identity, 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOADED_AT, _LOADED_AT, length, length, _ALIGNMENT)
    return header + segment + code
