"""Results for scripts that need one thing: ids of jobs, the state in a sentence, lines of a log."""

from collections.abc import Iterable

import click

from longshore.cli.output import changed
from longshore.cli.output.lines import echo_lines
from longshore.cli.plain import plain
from longshore.service.documents import Document, Submitted
from longshore.service.explain import Explanation
from longshore.service.job_table import JobPage
from longshore.service.keys import KeyTable, NewKey
from longshore.service.log_pages import LogPage
from longshore.service.what_if import WhatIf
from longshore.simulator.documents import SimulationReport


class QuietOutput:
    """Of the server's status nothing: that it answers is in the exit code."""

    def show(self, result: Document) -> None:
        match result:
            case KeyTable():
                for key in result.keys:
                    click.echo(key.access_key_id)
            case NewKey():
                click.echo(f"{result.access_key_id} {result.secret_access_key}")
            case JobPage():
                for row in result.jobs:
                    click.echo(row.job_id)
            case Explanation():
                click.echo(plain(result.summary))
            case Submitted():
                click.echo(result.job_id)
            case WhatIf():
                click.echo(plain(result.summary))
            case SimulationReport():
                for policy in result.policies:
                    click.echo(f"{policy.policy} {policy.bounded_slowdown.mean:.2f}")
            case _:
                pass

    def watch(self, results: Iterable[Document]) -> None:
        for result in changed(results):
            self.show(result)

    def show_log(self, pages: Iterable[LogPage], *, growing: bool) -> None:
        echo_lines(pages)
