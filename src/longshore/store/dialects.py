"""How SQLite says what databases say differently."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from longshore.store.statements import InList

SQLITE = sqlite.dialect(paramstyle="qmark")


@compiles(InList, "sqlite")
def _in_list(element: InList, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.column, **options)
    return f"{column} IN (SELECT value FROM json_each({compiler.process(element.values, **options)}))"


#: SQLite enlarges its shared memory by this much.
_ROOM_BYTES = 64 * 1024

#: Primary result codes that concern the database as a whole. Source: SQLite documentation, result and error codes.
_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


def is_outage(problem: sqlite3.Error) -> bool:
    """Whether it says that the database cannot be used now, rather than that one statement is wrong."""
    return getattr(problem, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in _OUTAGES


def outage_text(problem: sqlite3.Error, path: Path | None) -> str:
    """What `problem` says. SQLite calls a full disk an I/O error where it finds no room for shared memory."""
    code = getattr(problem, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code == sqlite3.SQLITE_IOERR and path is not None:
        disk = os.statvfs(path.parent)
        if disk.f_bavail * disk.f_frsize < _ROOM_BYTES:
            return "the disk is full"
    return str(problem)
