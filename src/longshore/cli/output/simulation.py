"""A comparison of policies for people."""

from rich.console import Group, RenderableType
from rich.text import Text

from longshore.cli.output.cells import cell, plain_table
from longshore.service.wording import counted, duration
from longshore.simulator.documents import PolicyReport, SimulationReport


def render_simulation(report: SimulationReport) -> RenderableType:
    """What was replayed, and a row for each policy."""
    every = report.interval_seconds
    cycles = f"a cycle every {duration(every)}" if every else "a cycle at each change"
    replayed = f"{counted(report.jobs, 'job')} of {counted(report.shares, 'share')} on {report.fleet}; {cycles}"
    waits, slowdowns = ("WAIT mean", "median", "95 %", "max"), ("SLOWDOWN mean", "median", "95 %")
    table = plain_table("POLICY", *waits, *slowdowns, "USED", "FAIR", "MAKESPAN", "GAP")
    for column in table.columns[1:]:
        column.justify = "right"
    for policy in report.policies:
        table.add_row(cell(policy.policy), *map(Text, _cells(policy)))
    remarks = [f"- {remark}" for remark in report.remarks]
    lines = [*remarks, *filter(None, map(_late, report.policies)), _legend(report)]
    return Group(
        cell(report.trace, "bold"), cell(replayed), Text(), table, Text(), *(cell(line, "dim") for line in lines)
    )


def _cells(policy: PolicyReport) -> list[str]:
    wait, slowdown = policy.wait_seconds, policy.bounded_slowdown
    return [
        *(duration(seconds) for seconds in (wait.mean, wait.median, wait.p95, wait.max)),
        *(f"{value:,.2f}" for value in (slowdown.mean, slowdown.median, slowdown.p95)),
        f"{policy.utilisation:.1%}",
        f"{policy.fairness:.3f}",
        duration(policy.makespan_seconds),
        f"{policy.gap:.1%}",
    ]


def _late(policy: PolicyReport) -> str:
    """Who never started, and who started later than under the first policy."""
    words: list[str] = []
    if policy.never_started:
        words.append(f"{counted(policy.never_started, 'job')} never started")
    late = policy.delayed
    if late is not None and late.jobs:
        amounts = f"by {duration(late.mean_seconds)} on average and {duration(late.max_seconds)} at most"
        words.append(f"{counted(late.jobs, 'job')} started later than under {late.than}, {amounts}")
    return f"- {policy.policy}: {'; '.join(words)}" if words else ""


def _legend(report: SimulationReport) -> str:
    shortest, least = duration(report.threshold_seconds), duration(report.volume_bound_seconds)
    return (
        f"SLOWDOWN is (wait + run) / run, where a run counts as {shortest} at least. USED is the part of the fleet's "
        "vCPU-seconds that jobs held. FAIR is Jain's index of the shares' mean slowdowns, 1 when all are the same. GAP "
        f"is how much longer than {least} it took, the least that any schedule takes."
    )
