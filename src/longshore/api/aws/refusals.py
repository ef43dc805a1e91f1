"""Texts for requests that do not fit their structure: what is wrong, where, and what would be right."""

import re

from msgspec import inspect

from longshore.api.aws.shape import Shape

#: How msgspec tells where: a path of wire names, and `key` before it when it means a key of that map.
_PLACE = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_MISSING = re.compile(r"Object missing required field `([^`]+)`\Z")
_ENUM = re.compile(r"Invalid enum value (.*)\Z", re.DOTALL)
#: More of a wrong value than this is not repeated.
_LONGEST_ECHO = 100


def explain(failure: str, shape: type[Shape]) -> str:
    """A validation failure of msgspec against `shape`, in the words of the API."""
    place = _PLACE.search(failure)
    path = place["path"].removeprefix(".") if place else ""
    what = failure[: place.start()] if place else failure
    if missing := _MISSING.match(what):
        return f"{path}.{missing[1]} is required" if path else f"{missing[1]} is required"
    where = path or "the request"
    if place and place["key"]:
        where = f"a key of {where}"
    if enum := _ENUM.match(what):
        value = enum[1] if len(enum[1]) <= _LONGEST_ECHO else enum[1][:_LONGEST_ECHO] + "..."
        allowed = _allowed(inspect.type_info(shape), place["path"] if place else "")
        return f"{where} is {value}, which is not one of {', '.join(allowed)}"
    return f"{where}: {what[:1].lower()}{what[1:].replace(' | null', '')}"


def _allowed(kind: inspect.Type, path: str) -> list[str]:
    """The values of the enumeration at `path` below `kind`."""
    for member, _ in _STEP.findall(path):
        match _present(kind):
            case inspect.StructType(fields=fields):
                kind = next(field.type for field in fields if field.encode_name == member)
            case inspect.ListType(item_type=item):
                kind = item
            case inspect.DictType(value_type=item):
                kind = item
            case _:
                return []
    found = _present(kind)
    return [str(value) for value in found.values] if isinstance(found, inspect.LiteralType) else []


def _present(kind: inspect.Type) -> inspect.Type:
    """`kind` without the None that stands for absence."""
    match kind:
        case inspect.UnionType(types=types):
            return next(part for part in types if not isinstance(part, inspect.NoneType))
        case inspect.Metadata(type=inner):
            return inner
        case _:
            return kind
