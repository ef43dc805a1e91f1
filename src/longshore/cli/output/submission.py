"""What became of a job that was submitted, or would become of one, for people."""

from collections.abc import Iterable

from rich.console import Group, RenderableType

from longshore.cli.output.cells import amounts_text, cell, plain_table
from longshore.cli.output.explanation import cause_lines, place_text, section
from longshore.service.documents import Submitted
from longshore.service.what_if import Delay, WhatIf
from longshore.service.wording import counted


def render_submitted(submitted: Submitted) -> RenderableType:
    """Its id, and how to go on."""
    return cell(f"Submitted {submitted.job_name}: {submitted.job_id}")


def render_what_if(told: WhatIf) -> RenderableType:
    """The whole in a sentence first, then each section that has something to say."""
    place = told.place
    children = "" if told.array_size is None else f", {told.array_size:,} children"
    parts: list[RenderableType] = [
        cell(f"{told.name}  not submitted", "bold"),
        cell(told.summary),
        cell(
            f"{told.definition} in job queue {place.queue} ({place.region}, account {place.account_id}), "
            f"asks {amounts_text(told.asked)}{children}",
            "dim",
        ),
    ]
    if told.start is not None:
        lines = [told.start.text]
        if told.last_start is not None:
            lines.append(f"its last child: {told.last_start.text}")
        parts += section("Starts", map(cell, lines))
    if told.position is not None:
        parts += section("Place", [cell(place_text(told.position))])
    if told.waits_for:
        parts += section("Waits", (line for cause in told.waits_for for line in cause_lines(cause)))
    if told.delayed_jobs:
        parts += section("Delays", _delays(told))
    return Group(*parts)


def _delays(told: WhatIf) -> Iterable[RenderableType]:
    table = plain_table("", "", "", "")
    table.show_header = False
    for delay in told.delays:
        table.add_row(cell(delay.job_id), cell(delay.name), cell(delay.place.queue), cell(_text(delay)))
    yield table
    others = told.delayed_jobs - sum(delay.jobs for delay in told.delays)
    if others:
        yield cell(f"and {counted(others, 'other job')}", "dim")


def _text(delay: Delay) -> str:
    return delay.text if delay.jobs == 1 else f"{delay.text} ({delay.jobs:,} of its children)"
