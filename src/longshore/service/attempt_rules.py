"""Rules on how often and how long a job may be tried. Source: AWS Batch API, RetryStrategy and JobTimeout."""

import re

from longshore.domain.definition import JobTimeout
from longshore.domain.errors import InvalidRequest
from longshore.domain.retry import RetryAction, RetryStrategy
from longshore.service.refusals import invalid

_MOST_ATTEMPTS = 10
_MOST_RULES = 5
_LEAST_SECONDS = 60
_LONGEST_PATTERN = 512
_CODE_PATTERN = re.compile(r"[0-9]*\*?")
_TEXT_PATTERN = re.compile(r"[A-Za-z0-9.:\s]*\*?", re.ASCII)


def check_retry(strategy: RetryStrategy) -> None:
    """Raises InvalidRequest for attempts out of range and for rules that could not be matched."""
    if not 1 <= strategy.attempts <= _MOST_ATTEMPTS:
        raise invalid(f"Retry attempts should be between 1 and {_MOST_ATTEMPTS}, got {strategy.attempts}")
    if len(strategy.evaluate_on_exit) > _MOST_RULES:
        raise invalid(f"evaluateOnExit cannot have more than {_MOST_RULES} entries")
    for rule in strategy.evaluate_on_exit:
        if rule.action.upper() not in RetryAction.__members__:
            raise invalid(f"The action of evaluateOnExit should be RETRY or EXIT, got {rule.action[:100]}")
        _check_pattern(rule.on_status_reason, _TEXT_PATTERN)
        _check_pattern(rule.on_reason, _TEXT_PATTERN)
        _check_pattern(rule.on_exit_code, _CODE_PATTERN)


def check_service_retry(strategy: RetryStrategy) -> None:
    """The same of a service job, whose rules may hold any printable characters. Source: ServiceJobEvaluateOnExit."""
    check_retry(RetryStrategy(attempts=strategy.attempts))
    if len(strategy.evaluate_on_exit) > _MOST_RULES:
        raise invalid(f"evaluateOnExit cannot have more than {_MOST_RULES} entries")
    for rule in strategy.evaluate_on_exit:
        pattern = rule.on_status_reason
        if pattern is None:
            raise invalid("Each entry of evaluateOnExit needs an onStatusReason")
        if len(pattern) > _LONGEST_PATTERN:
            raise invalid(f"Evaluate on exit conditions cannot be longer than {_LONGEST_PATTERN} characters")
        if not pattern.isprintable():
            raise InvalidRequest("Evaluate on exit condition contains restricted characters")


def _check_pattern(pattern: str | None, allowed: re.Pattern[str]) -> None:
    if pattern is None:
        return
    if len(pattern) > _LONGEST_PATTERN:
        raise invalid(f"Evaluate on exit conditions cannot be longer than {_LONGEST_PATTERN} characters")
    if not allowed.fullmatch(pattern):
        raise InvalidRequest("Evaluate on exit condition contains restricted characters")


def check_timeout(timeout: JobTimeout) -> None:
    """Raises InvalidRequest for a time-out that AWS Batch would not take."""
    seconds = timeout.attempt_duration_seconds
    if seconds is not None and seconds < _LEAST_SECONDS:
        raise invalid(f"attemptDurationSeconds should be at least {_LEAST_SECONDS}, got {seconds}")
