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


@dataclass(frozen=True, slots=True, kw_only=True)
class OnOom:
    """How a job's memory is raised after a kill for lack of it."""

    factor_milli: int = 1000
    plus_mib: int = 0
    #: never more than this; None: than a host has
    most_mib: int | None = None

    def raised(self, memory_mib: int, host_mib: int) -> int | None:
        """What a job that had `memory_mib` is given, `host_mib` being the most that any host could; None: no more."""
        wanted = memory_mib * self.factor_milli // 1000 + self.plus_mib
        allowed = min(wanted, host_mib if self.most_mib is None else min(host_mib, self.most_mib))
        return allowed if allowed > memory_mib else None


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
