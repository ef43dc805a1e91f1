"""Settings as the flags, the variables and the file give them together, and what is wrong with them.

Every value that is given is checked, also one that another overrides.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from longshore.config.settings import PREFIX, SETTINGS, Declared, Settings, SettingsError

#: The file that is read from the working folder when no other is named.
CONFIG_FILE = "longshore.toml"
CONFIG_VARIABLE = "LONGSHORE_CONFIG"
#: Variables with our prefix that are no settings of a server: the command line's, the mark of a job's processes (a
#: server may be a job), and what tests set.
OTHER_VARIABLES = frozenset(
    {CONFIG_VARIABLE, "LONGSHORE_URL", "LONGSHORE_ATTEMPT_ID", "LONGSHORE_CRASH_POINT", "LONGSHORE_REQUIRE_PARTS"}
)
TEST_PREFIX = "LONGSHORE_TEST_"

_SECTIONS = frozenset(name.partition(".")[0] for name in SETTINGS if "." in name)
_BY_VARIABLE = {declared.variable: declared for declared in SETTINGS.values()}


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    config_file: Path | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings that the sources give together.

    `flags` are by setting name, None for one that was not given. The file is `config_file`, else the one that
    LONGSHORE_CONFIG names, else `longshore.toml` in `folder` (the working folder) if there is one. Raises
    SettingsError.
    """
    folder = (folder or Path.cwd()).absolute()
    values: dict[str, Any] = {}
    named = config_file or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    file = folder / (named or CONFIG_FILE)
    if named or file.exists():
        for declared, raw in _read_file(file):
            values[declared.name] = _parse(declared, raw, f"{file}: {declared.name}", file.parent)
    for declared, raw in _read_variables(environ):
        values[declared.name] = _parse(declared, raw, declared.variable, folder)
    for name, raw in (flags or {}).items():
        if raw is not None:
            values[name] = _parse(SETTINGS[name], raw, SETTINGS[name].flag, folder)
    settings = _assemble(values)
    if settings.server.auth == "open" and not settings.server.is_loopback:
        raise SettingsError(
            f"server.host: {settings.server.host} is not a loopback address; others are served only with"
            " --auth sigv4 and a key made by `longshore keys create`"
        )
    return settings


def _assemble(values: Mapping[str, Any]) -> Settings:
    defaults = Settings()
    changes: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for section in _SECTIONS:
        keys = {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{section}.")}
        changes[section] = replace(getattr(defaults, section), **keys)
    return replace(defaults, **changes)


def _read_file(file: Path) -> Iterator[tuple[Declared, object]]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(f"{file}: cannot be read: {problem.strerror}") from problem
    except ValueError as problem:  # TOMLDecodeError and UnicodeDecodeError
        raise SettingsError(f"{file}: is not TOML: {_one_line(str(problem))}") from problem
    given: dict[str, object] = {}
    for key, value in tables.items():
        if key in _SECTIONS and isinstance(value, dict):
            given |= {f"{key}.{inner}": item for inner, item in cast(dict[str, object], value).items()}
        else:
            given[key] = value
    for name, value in given.items():
        if name not in SETTINGS:
            raise SettingsError(f"{file}: there is no setting {_one_line(name)}{_suggest(name, SETTINGS)}")
        yield SETTINGS[name], value


def _read_variables(environ: Mapping[str, str]) -> Iterator[tuple[Declared, object]]:
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES or variable.startswith(TEST_PREFIX):
            continue
        if variable not in _BY_VARIABLE:
            raise SettingsError(f"{_one_line(variable)}: there is no such setting{_suggest(variable, _BY_VARIABLE)}")
        yield _BY_VARIABLE[variable], value


def _parse(declared: Declared, raw: object, source: str, folder: Path) -> object:
    try:
        return declared.kind.parse(raw, folder)
    except ValueError as problem:
        raise SettingsError(f"{source}: {_one_line(repr(raw))} is not {declared.kind.expects}") from problem


def _suggest(name: str, known: Mapping[str, object]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _one_line(text: str) -> str:
    """The text without line breaks and escapes, cut where it gets long."""
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= 120 else f"{clean[:117]}..."
