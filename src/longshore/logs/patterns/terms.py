"""Patterns of terms: `ERROR "two words" -debug %[45]\\d\\d%`.

All terms must be in a message; `-term` must not; of several `?term` one must be, and they count only when every term is
one. Case matters.
"""

import re
from collections.abc import Sequence

from longshore.logs.patterns.scanner import Matches, Scanner
from longshore.logs.patterns.values import Text

_SIGN = re.compile(r"[-?](?=\S)")
_REGEX_AHEAD = re.compile(r"(?=%[^%]*%(?:\s|\Z))")
_WORD = re.compile(r'[^\s"]+')
_BORDER = re.compile(r"(?=\s)|\Z")


def parse_terms(scanner: Scanner) -> Matches:
    """Raises InvalidRequest."""
    kinds: dict[str, list[Text]] = {"": [], "-": [], "?": []}
    while not scanner.is_at_end():
        sign = scanner.take_match(_SIGN) or ""
        kinds[sign].append(_parse_term(scanner))
        if scanner.take_match(_BORDER, skip_blanks=False) is None:
            scanner.fail("a blank")
    return _judge(kinds[""], kinds["-"], kinds["?"])


def _judge(required: Sequence[Text], excluded: Sequence[Text], optional: Sequence[Text]) -> Matches:
    if required or excluded:
        return lambda message: all(term(message) for term in required) and not any(term(message) for term in excluded)
    if optional:
        return lambda message: any(term(message) for term in optional)
    return lambda message: True


def _parse_term(scanner: Scanner) -> Text:
    if scanner.take_match(_REGEX_AHEAD) is not None:
        regex = scanner.take_regex()
        assert regex is not None
        return regex
    text = scanner.take_quoted()
    if text is None:
        text = scanner.take_match(_WORD)
    if text is None:
        scanner.fail("a term, with its second quotation mark,")
    return lambda message: text in message
