"""`longshore:depends-on`: dependencies on the success, the failure or any end of other jobs, beside `dependsOn`.

A parameter of SubmitJob holds it, as a JSON list such as `[{"jobId": "...", "when": "failure"}]`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar, cast

import msgspec

from longshore.domain.dependency import DependencyType, OwnDependency, When
from longshore.service.refusals import invalid

DEPENDS_ON = "longshore:depends-on"

_EXAMPLE = '[{"jobId": "...", "when": "failure"}]'
_MEMBERS = ("jobId", "when", "type")
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)

E = TypeVar("E", bound=StrEnum)


def parse_depends_on(name: str, text: str) -> tuple[OwnDependency, ...]:
    """The entries of the parameter `name`.

    Raises:
        InvalidRequest: it is malformed.
    """
    try:
        entries = msgspec.json.decode(text)
    except _UNREADABLE as error:
        reason = f": {error}" if isinstance(error, msgspec.DecodeError) else ""
        raise invalid(f"{name} should be JSON such as {_EXAMPLE}{reason}") from None
    if not isinstance(entries, list):
        raise invalid(f"{name} should be a list such as {_EXAMPLE}, got {_shown(entries)}")
    return tuple(_parse_entry(entry, f"{name}[{at}]") for at, entry in enumerate(cast("list[object]", entries)))


def _parse_entry(entry: object, where: str) -> OwnDependency:
    if not isinstance(entry, dict):
        raise invalid(f'{where} should be an object such as {{"jobId": "...", "when": "failure"}}, got {_shown(entry)}')
    members = cast("Mapping[str, object]", entry)
    if unknown := [name for name in members if name not in _MEMBERS]:
        raise invalid(f"{where} has no member {unknown[0][:100]}: it may hold {', '.join(_MEMBERS)}")
    job_id = members.get("jobId")
    if job_id is not None and not isinstance(job_id, str):
        raise invalid(f"{where}.jobId should be text, got {_shown(job_id)}")
    when = _chosen(When, members.get("when"), f"{where}.when") or When.SUCCESS
    kind = _chosen(DependencyType, members.get("type"), f"{where}.type")
    if job_id is None and kind is not DependencyType.SEQUENTIAL:
        raise invalid(f"{where} needs a jobId")
    return OwnDependency(job_id=job_id, type=kind, when=when)


def _chosen(kind: type[E], value: object, where: str) -> E | None:
    if value is None:
        return None
    if isinstance(value, str) and value in {str(each) for each in kind}:
        return kind(value)
    raise invalid(f"{where} should be one of {', '.join(kind)}, got {_shown(value)}")


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()[:100]
