"""Whether a failed attempt is tried again: evaluate-on-exit."""

from dataclasses import dataclass
from enum import StrEnum


class RetryAction(StrEnum):
    """What a matching rule says."""

    RETRY = "RETRY"
    EXIT = "EXIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOnExit:
    """One rule; every condition given must match. Source: AWS Batch API, EvaluateOnExit."""

    #: RETRY or EXIT in any case, kept as it was given
    action: str
    on_status_reason: str | None = None
    on_reason: str | None = None
    on_exit_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStrategy:
    """How often a job is attempted, the first time included, and for which failures."""

    attempts: int = 1
    evaluate_on_exit: tuple[EvaluateOnExit, ...] = ()


def _matches(pattern: str | None, text: str) -> bool:
    """A pattern ending in `*` matches a prefix, any other the whole text; an absent pattern matches everything."""
    if pattern is None:
        return True
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def matching_action(
    strategy: RetryStrategy, *, status_reason: str, reason: str, exit_code: int | None
) -> RetryAction | None:
    """What the first matching rule says of an attempt's end; None when no rule matches.

    An absent reason or exit code counts as the empty text, so that `*` matches it (the documented catch-all
    `{"onReason": "*", "action": "EXIT"}` must catch plain exits). Source: AWS Batch user guide, automated job retries.
    """
    code = "" if exit_code is None else str(exit_code)
    for rule in strategy.evaluate_on_exit:
        if (
            _matches(rule.on_status_reason, status_reason)
            and _matches(rule.on_reason, reason)
            and _matches(rule.on_exit_code, code)
        ):
            return RetryAction(rule.action.upper())
    return None
