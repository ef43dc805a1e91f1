"""Filter patterns of FilterLogEvents, as far as plain terms go.

Source: Amazon CloudWatch Logs User Guide, filter pattern syntax for unstructured log events. All terms must be in an
event; `"two words"` is one term; `-term` must not be there; of several `?term` one must be, and they count only when
every term is one. Case matters. Patterns for JSON (`{...}`), columns (`[...]`) and regular expressions (`%...%`) are
refused.
"""

import re
from collections.abc import Callable

from longshore.domain.errors import InvalidRequest

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|([^\s"]+)(?=\s|$))', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_pattern(text: str) -> Callable[[str], bool]:
    """A test for messages. Raises InvalidRequest."""
    text = text.strip()
    if text[:1] in {"{", "["} or (len(text) > 1 and text[0] == text[-1] == "%"):
        raise InvalidRequest("Invalid filter pattern: only patterns of plain terms are supported here.")
    required: list[str] = []
    excluded: list[str] = []
    optional: list[str] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise InvalidRequest(f"Invalid filter pattern: unexpected text at character {position + 1}.")
        position = match.end()
        sign, quoted, plain = match.groups()
        term = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        {"": required, "-": excluded, "?": optional}[sign].append(term)

    def matches(message: str) -> bool:
        if required or excluded:
            return all(term in message for term in required) and not any(term in message for term in excluded)
        return not optional or any(term in message for term in optional)

    return matches
