"""Going through a pattern from left to right, and what all kinds of patterns are made of."""

import re
from collections.abc import Callable
from typing import NoReturn, TypeAlias, TypeVar

from longshore.domain.errors import InvalidRequest
from longshore.logs.patterns.values import Text, compile_regex

T = TypeVar("T")

Matches: TypeAlias = Callable[[str], bool]
#: A test for what a message was taken apart into.
Condition: TypeAlias = Callable[[T], bool]

#: Source: CloudWatch Logs quotas: regular expressions in one pattern.
_MOST_REGEXES = 2
_DEEPEST = 20
_BLANK = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_REGEX = re.compile(r"%([^%]*)%")


class Scanner:
    """A place in a pattern. Blanks before what is looked for are skipped."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._regexes = 0

    def fail(self, expected: str) -> NoReturn:
        """Raises InvalidRequest for the present place."""
        raise InvalidRequest(f"Invalid filter pattern: {expected} expected at character {self._at + 1}.")

    def skip_blanks(self) -> None:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def is_at_end(self) -> bool:
        self.skip_blanks()
        return self._at == len(self._text)

    def take(self, token: str) -> bool:
        """Whether `token` comes next; then it is passed."""
        self.skip_blanks()
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def take_match(self, pattern: re.Pattern[str], *, skip_blanks: bool = True) -> str | None:
        """What `pattern` matches next, which is passed."""
        if skip_blanks:
            self.skip_blanks()
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def take_quoted(self) -> str | None:
        """The text between quotation marks; `\\` before a character stands for that character."""
        text = self.take_match(_QUOTED)
        return None if text is None else _ESCAPED.sub(r"\1", text[1:-1])

    def take_regex(self) -> Text | None:
        """A regular expression between per cent signs."""
        self.skip_blanks()
        start = self._at
        text = self.take_match(_REGEX)
        if text is None:
            return None
        self._regexes += 1
        end, self._at = self._at, start
        if self._regexes > _MOST_REGEXES:
            self.fail(f"no more than {_MOST_REGEXES} regular expressions")
        try:
            matches = compile_regex(text[1:-1])
        except ValueError as problem:
            raise InvalidRequest(
                f"Invalid filter pattern: the regular expression at character {start + 1} {problem}."
            ) from None
        self._at = end
        return matches

    def parse_any(self, parse_condition: Callable[["Scanner"], Condition[T]]) -> Condition[T]:
        """Conditions joined by `&&`, which binds closer, and `||`, with parentheses."""
        parts = [self._parse_all(parse_condition)]
        while self.take("||"):
            parts.append(self._parse_all(parse_condition))
        return parts[0] if len(parts) == 1 else lambda subject: any(part(subject) for part in parts)

    def _parse_all(self, parse_condition: Callable[["Scanner"], Condition[T]]) -> Condition[T]:
        parts = [self._parse_one(parse_condition)]
        while self.take("&&"):
            parts.append(self._parse_one(parse_condition))
        return parts[0] if len(parts) == 1 else lambda subject: all(part(subject) for part in parts)

    def _parse_one(self, parse_condition: Callable[["Scanner"], Condition[T]]) -> Condition[T]:
        if not self.take("("):
            return parse_condition(self)
        self._depth += 1
        if self._depth > _DEEPEST:
            self.fail(f"no more than {_DEEPEST} parentheses in each other")
        inner = self.parse_any(parse_condition)
        self._depth -= 1
        if not self.take(")"):
            self.fail("')'")
        return inner
