"""Text of jobs made harmless for a terminal: it shows what was written and can do nothing.

Removed are escape sequences (ECMA-48: CSI, OSC and the other strings, in their 7-bit and 8-bit forms), all control
characters, and characters of Unicode that are not seen but change how others are shown (bidirectional controls, tags,
byte order marks; UAX 9, UTS 39). Joiners stay, since scripts and emoji need them.
"""

import re
import unicodedata
from functools import lru_cache

_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
#: OSC, DCS, SOS, PM, APC up to their end; one without end is not a string, so only what introduces it goes.
_STRING = r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
_OTHER = r"\x1b[ -/]*[0-~]"
_SEQUENCE = re.compile(f"{_CSI}|{_STRING}|{_OTHER}")
_JOINERS = frozenset("\u200c\u200d")
_BREAKS = frozenset("\n\r\v\f\x85\u2028\u2029")


def plain(text: str) -> str:
    """`text` as one harmless line; line breaks and tabs become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, _SEQUENCE.sub("", text)))


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    if character in _BREAKS or character == "\t":
        return " "
    match unicodedata.category(character):
        case "Cc":
            return ""
        case "Cf":
            return character if character in _JOINERS else ""
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
        case _:
            return character
