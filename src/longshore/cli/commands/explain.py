"""`longshore explain`."""

import click

from longshore.cli.asking import with_url
from longshore.cli.output import Form, choose_output, with_output
from longshore.cli.server import Server


@click.command()
@click.argument("job")
@with_output
@with_url
def explain(job: str, url: str, form: Form) -> None:
    """Say why JOB stands where it stands.

    JOB is a job's id, a child's (ID:INDEX), or the ARN of either.

    Of a job that waits: every resource, limit, dependency and job ahead that it waits for. Of one that ended: each
    attempt, what it used, and why it was tried again or not. Of any: what its engine does not do of what was asked.
    """
    with Server(url) as server:
        choose_output(form).show(server.explain(job))
