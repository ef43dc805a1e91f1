"""A report on what was used and what it cost, for people."""

from rich.console import Group, RenderableType
from rich.text import Text

from longshore.cli.output.cells import cell, instant, plain_table
from longshore.service.efficiency import Cost, EfficiencyReport, EfficiencyRow, Suggestion, Use


def render_efficiency(report: EfficiencyReport) -> RenderableType:
    """A row for each group, the sum of all, and what would have been enough."""
    since = f"Attempts that ended since {instant(report.since)}, by {report.by}"
    if not report.total.attempts:
        return cell(f"{since}: none.")
    costs = report.total.cost is not None
    money = ("COST", "WASTED", "SPOT SAVED") if costs else ()
    table = plain_table("GROUP", "ATTEMPTS", "FAILED", "HOURS", "vCPU h", "USED", "GiB h", "USED", "GPU h", *money)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in report.rows:
        table.add_row(*_cells(row, costs=costs))
    table.add_section()
    table.add_row(*_cells(report.total, costs=costs), style="bold")
    parts: list[RenderableType] = [cell(f"{since}{f', costs in {report.currency}' if costs else ''}", "bold"), table]
    advice = [(row.group, row.suggestion) for row in report.rows if row.suggestion]
    if advice:
        parts += [Text(), Text("Enough would be", "bold"), *(cell(f"- {_advice(*each)}") for each in advice)]
    if report.unpriced:
        parts.append(
            cell(f"No price is declared for {', '.join(report.unpriced)}: it is left out of the costs.", "dim")
        )
    elif not costs:
        parts.append(Text("Costs need prices: see the setting prices.environments.", "dim"))
    if report.is_partial:
        parts.append(Text("There were more attempts; the oldest are left out. Ask with a shorter --since.", "yellow"))
    return Group(*parts)


def _cells(row: EfficiencyRow, *, costs: bool) -> list[Text]:
    texts = [
        *(f"{row.attempts:,}", f"{row.failed:,}", f"{row.run_hours:,.2f}"),
        *(f"{row.cpu.held_hours:,.2f}", _share(row.cpu), f"{row.memory.held_hours:,.2f}", _share(row.memory)),
        f"{row.gpu_hours:,.2f}",
    ]
    if costs:
        cost = row.cost or Cost(total=0.0, wasted=0.0, saved_by_spot=0.0)
        texts += [f"{amount:,.2f}" for amount in (cost.total, cost.wasted, cost.saved_by_spot)]
    return [cell(row.group or "all"), *map(Text, texts)]


def _share(use: Use) -> str:
    return "-" if use.share is None else f"{use.share:.0%}"


def _advice(group: str, suggestion: Suggestion) -> str:
    asks = [
        *([] if suggestion.vcpus is None else [f"{suggestion.vcpus} vCPU"]),
        *([] if suggestion.memory_mib is None else [f"{suggestion.memory_mib:,} MiB"]),
    ]
    return f"{group}: {', '.join(asks)} ({'; '.join(suggestion.because)})"
