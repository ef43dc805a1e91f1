"""What a value in a pattern is compared with: texts with wildcards, regular expressions, numbers.

Regular expressions go to RE2, whose time grows with the length of the text alone and whose memory is bounded; Python's
own can take for ever. Source: CloudWatch Logs User Guide, supported regular expressions.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import re2

Text: TypeAlias = Callable[[str], bool]

OPERATOR = re.compile(r"!=|>=|<=|=|>|<")
#: The operators that compare numbers alone.
ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_ALLOWED = re.compile(r"[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+.]")
_MOST_MEMORY_BYTES = 1024 * 1024
#: Of a compiled expression: the longest event (256 KiB) then takes a second or two at the worst.
_MOST_INSTRUCTIONS = 1000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")
#: Longer texts are no numbers that anybody compares.
_LONGEST_NUMBER = 400


def compile_regex(text: str) -> Text:
    """Whether the expression is found in a text.

    Raises:
        ValueError: it is not supported; completes the sentence "the expression ...".
    """
    for character in text:
        if not _ALLOWED.match(character):
            raise ValueError(f"holds {character!r}, which is not supported in one")
    return compile_search(text)


def compile_search(text: str) -> Text:
    """The same, whatever characters it holds."""
    options: Any = cast(Any, re2).Options()
    options.max_mem = _MOST_MEMORY_BYTES
    options.log_errors = False
    try:
        compiled: Any = cast(Any, re2).compile(text.encode(), options)
    except cast(Any, re2).error as problem:
        why = problem.args[0] if problem.args else ""
        raise ValueError(f"is not one: {why.decode() if isinstance(why, bytes) else why}") from None
    if compiled.programsize > _MOST_INSTRUCTIONS:
        raise ValueError("asks for too much: repeat less, or fewer times")
    return lambda subject: compiled.search(subject.encode("utf-8", "replace")) is not None


def compile_wildcard(text: str) -> Text:
    """Whether a text equals this one, in which `*` stands for anything."""
    first, *rest = text.split("*")
    if not rest:
        return lambda subject: subject == text
    *middle, last = rest

    def matches(subject: str) -> bool:
        end = len(subject) - len(last)
        if not subject.startswith(first) or not subject.endswith(last) or end < len(first):
            return False
        at = len(first)
        for part in middle:
            found = subject.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return matches


def parse_number(text: str) -> float | None:
    """The number that `text` is, if it is one; in scientific notation, too."""
    return float(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.match(text) else None
