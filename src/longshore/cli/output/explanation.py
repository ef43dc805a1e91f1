"""An explanation for people."""

import re
from collections.abc import Iterable
from itertools import chain

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from longshore.cli.output.cells import amounts_text, cell, instant, plain_table, status_cell
from longshore.service.causes import Cause
from longshore.service.explain import Explanation, Step
from longshore.service.outcomes import AttemptAccount, PartAccount
from longshore.service.places import Position
from longshore.service.wording import counted


def render_explanation(explanation: Explanation) -> RenderableType:
    """The summary first, then each section that has something to say."""
    place = explanation.place
    asked = amounts_text(explanation.asked)
    timeout = f", time-out {explanation.timeout_seconds:,} s" if explanation.timeout_seconds else ""
    facts = (
        f"{explanation.definition} in job queue {place.queue} ({place.region}, account {place.account_id}), "
        f"asks {asked}, up to {counted(explanation.attempts_allowed, 'attempt')}{timeout}{_powers(explanation)}"
    )
    parts: list[RenderableType] = [
        cell(f"{explanation.name}  {explanation.job_id}", "bold"),
        cell(explanation.summary),
        cell(facts, "dim"),
    ]
    if explanation.failed_children:
        parts += section("Failed children", (cell(f"- {child}") for child in explanation.failed_children))
    if explanation.waits_for:
        parts += section("Waits", chain.from_iterable(map(cause_lines, explanation.waits_for)))
    if explanation.position is not None:
        parts += section("Place", [cell(place_text(explanation.position))])
    if explanation.start is not None:
        parts += section("Starts", [cell(explanation.start.text)])
    if explanation.attempts:
        parts += section("Attempts", chain.from_iterable(map(_attempt_lines, explanation.attempts)))
    if explanation.not_honoured:
        gaps = (cell(f"- {gap.setting} on engine {gap.engine}: {gap.text}") for gap in explanation.not_honoured)
        parts += section("Not honoured", gaps)
    if explanation.timeline:
        parts += section("Timeline", [_timeline(explanation.timeline)])
    return Group(*parts)


def _powers(explanation: Explanation) -> str:
    parts: list[str] = []
    if explanation.host_retries is not None:
        parts.append(f", and {counted(explanation.host_retries, 'host retry', 'host retries')}")
    if explanation.gives_up_at is not None:
        parts.append(f", gives up at {instant(explanation.gives_up_at)} if it has not started")
    return "".join(parts)


def section(title: str, lines: Iterable[RenderableType]) -> list[RenderableType]:
    """Lines under a title."""
    return [Text(), Text(title, "bold"), *(Padding.indent(line, 2) for line in lines)]


def cause_lines(cause: Cause) -> Iterable[RenderableType]:
    """The cause, and below it its remedy."""
    yield cell(f"- {cause.text}")
    if cause.remedy is not None:
        yield cell(f"  > {cause.remedy}", "green")


def place_text(position: Position) -> str:
    """A place in a queue."""
    at_least = "at least " if position.is_at_least else ""
    ahead = f"{at_least}{counted(position.ahead, 'job')} of {position.waiting:,} that wait in its queue"
    if position.ahead == 0 and not position.is_at_least:
        return f"the next of {position.waiting:,} that wait in its queue"
    return f"behind {ahead}; the next is {position.first_job_id}"


def _attempt(attempt: AttemptAccount) -> RenderableType:
    began = attempt.started_at or attempt.opened_at
    parts = [f"{attempt.number}: {instant(began)} on host {attempt.host} in {attempt.environment}"]
    if attempt.gpu_names:
        parts.append(f"GPU {', '.join(attempt.gpu_names)}")
    if attempt.stopped_at is None:
        parts.append("has not ended")
    elif attempt.exit_code is not None:
        parts.append(f"exit code {attempt.exit_code}")
    parts += [text for text in (attempt.status_reason, attempt.reason, attempt.use, attempt.decision) if text]
    return cell("; ".join(parts))


def _attempt_lines(attempt: AttemptAccount) -> Iterable[RenderableType]:
    """The attempt, and below it its parts."""
    has_nodes = any(part.node != attempt.parts[0].node for part in attempt.parts)
    yield _attempt(attempt)
    for part in attempt.parts:
        yield cell("   " + _part_text(part, has_nodes=has_nodes))


def _part_text(part: PartAccount, *, has_nodes: bool) -> str:
    name = f"node {part.node} container {part.container}" if has_nodes else f"container {part.container}"
    where = f" on host {part.host}" if has_nodes else ""
    words = [name + where + (f" at {part.address}" if part.address else "")]
    if part.exit_code is not None:
        words.append(f"exit code {part.exit_code}")
    elif part.stopped_at is None:
        words.append("runs" if part.started_at else "has not started")
    elif part.status_reason and not part.reason:
        words.append(part.status_reason)
    return "; ".join([*words, *([part.reason] if part.reason else [])])


def _timeline(steps: Iterable[Step]) -> RenderableType:
    table = plain_table("", "", "", "")
    table.show_header = False
    for step in steps:
        words = _words(step.cause) + (", all children" if step.of_children else "")
        table.add_row(Text(instant(step.at)), status_cell(step.status_to), cell(words), cell(step.detail))
    return table


def _words(event: str) -> str:
    """The name of an event as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event).capitalize()
