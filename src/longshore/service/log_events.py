"""Which lines of output begin an event, as a job asks for. Source: Docker documentation, awslogs log driver."""

import re
from collections.abc import Mapping

_DATETIME_FORMAT = "awslogs-datetime-format"
_MULTILINE_PATTERN = "awslogs-multiline-pattern"

_TWO = "[0-9]{2}"
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _one_of(words: tuple[str, ...], length: int | None = None) -> str:
    return f"(?:{'|'.join(word[:length] for word in words)})"


#: What a placeholder stands for, as an expression.
_PLACEHOLDERS: Mapping[str, str] = {
    "A": _one_of(_DAYS),
    "a": _one_of(_DAYS, 3),
    "B": _one_of(_MONTHS),
    "b": _one_of(_MONTHS, 3),
    "d": "(?:0[1-9]|[12][0-9]|3[01])",
    "f": "[0-9]{6}",
    "H": "(?:[01][0-9]|2[0-3])",
    "I": "(?:0[0-9]|1[0-2])",
    "j": "(?:[0-2][0-9]{2}|3[0-5][0-9]|36[0-6])",
    "L": r"\.[0-9]{3}",
    "M": "[0-5][0-9]",
    "m": "(?:0[1-9]|1[0-2])",
    "p": "[AP]M",
    "S": "[0-5][0-9]",
    "U": "(?:[0-4][0-9]|5[0-3])",
    "w": "[0-6]",
    "Y": "[0-9]{4}",
    "y": _TWO,
    "Z": "[A-Z]{1,4}T",
    "z": "[+-][0-9]{4}",
    "%": "%",
}


def event_start(options: Mapping[str, str]) -> str:
    """The expression (RE2) that a line which begins an event matches; empty where each line is one.

    Of the two options that of times counts. Source: AWS Batch API, LogConfiguration.
    """
    if form := options.get(_DATETIME_FORMAT):
        return _times_like(form)
    return options.get(_MULTILINE_PATTERN, "")


def _times_like(form: str) -> str:
    """What times in this format look like; what is no placeholder stands for itself."""
    parts = re.split(r"%(.)", form)
    texts = [re.escape(text) for text in parts[::2]]
    found = [_PLACEHOLDERS.get(name, "") for name in parts[1::2]]
    return "".join(text for pair in zip(texts, [*found, ""], strict=True) for text in pair)
