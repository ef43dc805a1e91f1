"""Patterns for columns: `[ip, user, ..., status = 4*, size > 100]`.

A message's columns stand between blanks; what is in brackets or quotation marks is one. `...` stands for any number of
columns; without it there must be as many as the pattern has. A column's conditions are joined by `&&` and `||`.
"""

import re
from collections.abc import Sequence

from longshore.logs.patterns.scanner import Condition, Matches, Scanner
from longshore.logs.patterns.values import OPERATOR, ORDERS, compile_wildcard, parse_number

_NAME = re.compile(r"[A-Za-z0-9_$@-][A-Za-z0-9_$@.-]*")
_WORD = re.compile(r'[^\s"%()&|,\]]+')
_BLANKS = re.compile(r"\s+")
_BLANK = re.compile(r"\s")
_CLOSING = {"[": "]", '"': '"'}


def parse_columns(scanner: Scanner) -> Matches:
    """What stands behind `[`, to the end. Raises InvalidRequest."""
    head: list[Condition[str]] = []
    tail: list[Condition[str]] | None = None
    while True:
        if scanner.take("..."):
            if tail is not None:
                scanner.fail("no second '...'")
            tail = []
        else:
            (head if tail is None else tail).append(_Column().parse(scanner))
        if scanner.take("]"):
            break
        if not scanner.take(","):
            scanner.fail("',' or ']'")
    if not scanner.is_at_end():
        scanner.fail("the end of the pattern")
    return _judge(head, tail)


def _judge(head: Sequence[Condition[str]], tail: Sequence[Condition[str]] | None) -> Matches:
    fixed = len(head) + len(tail or ())

    def matches(message: str) -> bool:
        columns = split_columns(message)
        if len(columns) < fixed or (tail is None and len(columns) > fixed):
            return False
        last = columns[len(columns) - len(tail) :] if tail else ()
        return all(condition(column) for condition, column in zip(head, columns, strict=False)) and all(
            condition(column) for condition, column in zip(tail or (), last, strict=True)
        )

    return matches


class _Column:
    """One column of a pattern: all its conditions are about it, by its name."""

    def __init__(self) -> None:
        self._name: str | None = None

    def parse(self, scanner: Scanner) -> Condition[str]:
        return scanner.parse_any(self._parse_condition)

    def _parse_condition(self, scanner: Scanner) -> Condition[str]:
        scanner.skip_blanks()
        name = scanner.take_match(_NAME)
        if name is None or self._name not in (None, name):
            scanner.fail(f"a condition on {self._name}" if self._name else "the name of a column")
        is_first, self._name = self._name is None, name
        sign = scanner.take_match(OPERATOR)
        if sign is None:
            if is_first:
                return lambda column: True
            scanner.fail("a comparison")
        if sign in ORDERS:
            number = parse_number(scanner.take_match(_WORD) or "")
            if number is None:
                scanner.fail("a number")
            order = ORDERS[sign]
            return lambda column: (value := parse_number(column)) is not None and order(value, number)
        equals = _parse_value(scanner)
        return equals if sign == "=" else lambda column: not equals(column)


def _parse_value(scanner: Scanner) -> Condition[str]:
    regex = scanner.take_regex()
    if regex is not None:
        return regex
    quoted = scanner.take_quoted()
    if quoted is not None:
        return compile_wildcard(quoted)
    word = scanner.take_match(_WORD)
    if word is None:
        scanner.fail("a value")
    number, text = parse_number(word), compile_wildcard(word)
    return text if number is None else lambda column: text(column) or parse_number(column) == number


def split_columns(message: str) -> Sequence[str]:
    """The columns of a message, without the brackets or quotation marks around them."""
    columns: list[str] = []
    # Where a closing character was looked for in vain, so that it is looked for once.
    missing: set[str] = set()
    at, end = 0, len(message)
    while at < end:
        blanks = _BLANKS.match(message, at)
        if blanks is not None:
            at = blanks.end()
            continue
        closing = _CLOSING.get(message[at])
        if closing is not None and closing not in missing:
            stop = message.find(closing, at + 1)
            if stop >= 0:
                columns.append(message[at + 1 : stop])
                at = stop + 1
                continue
            missing.add(closing)
        blank = _BLANK.search(message, at)
        stop = end if blank is None else blank.start()
        columns.append(message[at:stop])
        at = stop
    return columns
