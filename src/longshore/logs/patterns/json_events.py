"""Patterns for JSON: `{ $.user.roles[0] = "admin*" && ($.latency > 3.5 || $.error IS NULL) }`.

A message that is no JSON object or array matches none. A member that is an object or array is there, but equals nothing
and differs from nothing; nor does one that is not there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from longshore.logs.patterns.scanner import Condition, Matches, Scanner
from longshore.logs.patterns.values import OPERATOR, ORDERS, Text, compile_wildcard, parse_number

_NAME = re.compile(r"""[^\s.,\[\]=!<>()&|"'%{}$*]+""")
_INDEX = re.compile(r"[0-9]{1,9}")
_SINGLE_QUOTED = re.compile(r"'[^']+'")
_WORD = re.compile(r"""[^\s"%()&|{}]+""")
_KEYWORD = re.compile(r"(?i:IS|NOT|EXISTS|NULL|TRUE|FALSE)(?![A-Za-z0-9_])")
_STATES: Mapping[str, bool | None] = {"NULL": None, "TRUE": True, "FALSE": False}


class _Absent:
    """What a selector finds where there is nothing."""


_ABSENT: Final = _Absent()


def parse_json_pattern(scanner: Scanner) -> Matches:
    """What stands behind `{`, to the end. Raises InvalidRequest."""
    condition = scanner.parse_any(_parse_condition)
    if not scanner.take("}"):
        scanner.fail("'&&', '||' or '}'")
    if not scanner.is_at_end():
        scanner.fail("the end of the pattern")

    def matches(message: str) -> bool:
        try:
            document = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False
        return isinstance(document, dict | list) and condition(cast(object, document))

    return matches


def _parse_condition(scanner: Scanner) -> Condition[object]:
    find = _parse_selector(scanner)
    keyword = scanner.take_match(_KEYWORD)
    if keyword is not None:
        return _parse_state(scanner, keyword.upper(), find)
    sign = scanner.take_match(OPERATOR)
    if sign is None:
        scanner.fail("a comparison, IS, EXISTS or NOT EXISTS")
    if sign in ORDERS:
        number = parse_number(scanner.take_match(_WORD) or "")
        if number is None:
            scanner.fail("a number")
        order = ORDERS[sign]
        return lambda document: _is_number(value := find(document)) and order(cast(float, value), number)
    equals = _parse_value(scanner)
    if sign == "=":
        return lambda document: equals(find(document))
    return lambda document: _is_plain(value := find(document)) and not equals(value)


def _parse_state(scanner: Scanner, keyword: str, find: Condition[object]) -> Condition[object]:
    following = (scanner.take_match(_KEYWORD) or "").upper() if keyword in ("IS", "NOT") else ""
    match keyword, following:
        case "EXISTS", "":
            return lambda document: find(document) is not _ABSENT
        case "NOT", "EXISTS":
            return lambda document: find(document) is _ABSENT
        case "IS", ("NULL" | "TRUE" | "FALSE"):
            state = _STATES[following]
            return lambda document: find(document) is state
        case _:
            scanner.fail("EXISTS" if keyword == "NOT" else "NULL, TRUE or FALSE")


def _parse_selector(scanner: Scanner) -> Callable[[object], Any]:
    if not scanner.take("$"):
        scanner.fail("'$' and the name of a member")
    steps: list[str | int] = []
    while True:
        if scanner.take("."):
            name = scanner.take_match(_NAME, skip_blanks=False)
            if name is not None:
                steps.append(name)
                continue
            if not scanner.take("["):
                scanner.fail("the name of a member")
        elif not scanner.take("["):
            break
        steps.append(_parse_bracket(scanner))
    if not steps:
        scanner.fail("the name of a member")
    return lambda document: _follow(document, steps)


def _parse_bracket(scanner: Scanner) -> str | int:
    index = scanner.take_match(_INDEX)
    quoted = scanner.take_match(_SINGLE_QUOTED) if index is None else None
    name = quoted[1:-1] if quoted is not None else scanner.take_quoted() if index is None else None
    if index is None and name is None:
        scanner.fail("an index, or a name in quotation marks,")
    if not scanner.take("]"):
        scanner.fail("']'")
    return int(index) if index is not None else cast(str, name)


def _follow(document: object, steps: Sequence[str | int]) -> Any:
    value: Any = document
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(step, _ABSENT)
        elif isinstance(step, int) and isinstance(value, list) and step < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[step]
        else:
            return _ABSENT
    return value


def _parse_value(scanner: Scanner) -> Callable[[Any], bool]:
    """Whether a value equals the one that comes next."""
    text = scanner.take_regex()
    number = None
    if text is None:
        quoted = scanner.take_quoted()
        word = scanner.take_match(_WORD) if quoted is None else None
        if quoted is None and word is None:
            scanner.fail("a value")
        number = parse_number(word) if word is not None else None
        text = compile_wildcard(cast(str, word if quoted is None else quoted))
    return _equals(text, number)


def _equals(text: Text, number: float | None) -> Callable[[Any], bool]:
    def equals(value: Any) -> bool:
        if isinstance(value, str):
            return text(value)
        if _is_number(value):
            return value == number if number is not None else text(f"{value}")
        return False

    return equals


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    return not isinstance(value, dict | list | _Absent)
