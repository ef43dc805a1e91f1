"""Tags on when a job is given up and what it is tried again for: how each is written."""

from longshore.service.refusals import invalid

START_DEADLINE = "longshore:start-deadline"
HOST_RETRIES = "longshore:host-retries"

_MOST_SECONDS = 366 * 24 * 3600
_MOST_LOSSES = 1000


def read_seconds(name: str, text: str) -> int:
    """Whole seconds. Raises InvalidRequest."""
    return _whole(name, text, 1, _MOST_SECONDS, "a whole number of seconds")


def read_losses(name: str, text: str) -> int:
    """How many hosts may be lost. Raises InvalidRequest."""
    return _whole(name, text, 0, _MOST_LOSSES, "a whole number")


def _whole(name: str, text: str, least: int, most: int, what: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    raise invalid(f"{name} should be {what} from {least} to {most}, got {text[:100]!r}")
