"""`longshore hold`, `release`, `pause` and `resume`."""

from collections.abc import Sequence

import click

from longshore.cli.asking import with_url
from longshore.cli.output import Form, choose_output, with_output
from longshore.cli.server import Server

_with_jobs = click.argument("jobs", metavar="JOB...", nargs=-1, required=True)
_with_region = click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    show_envvar=True,
    help="Where the queue is; that of the server where none is given.",
)


@click.command()
@_with_jobs
@with_output
@with_url
def hold(jobs: Sequence[str], url: str, form: Form) -> None:
    """Keep each JOB from starting until it is released.

    JOB is a job's id, a child's (ID:INDEX), or the ARN of either; of an array job, no child starts. What runs goes on,
    and is held when it is to be tried again. A job keeps its place in the queue.
    """
    _set(jobs, url, form, is_held=True)


@click.command()
@_with_jobs
@with_output
@with_url
def release(jobs: Sequence[str], url: str, form: Form) -> None:
    """Let each JOB start that is held.

    Children that were held by themselves stay held when their array job is released.
    """
    _set(jobs, url, form, is_held=False)


def _set(jobs: Sequence[str], url: str, form: Form, *, is_held: bool) -> None:
    output = choose_output(form)
    with Server(url) as server:
        for job in jobs:
            output.show(server.hold(job, is_held=is_held))


@click.command()
@click.argument("queue")
@_with_region
@with_output
@with_url
def pause(queue: str, region: str | None, url: str, form: Form) -> None:
    """Let no job of QUEUE start until it is resumed.

    What runs goes on, and jobs can still be submitted.
    """
    with Server(url) as server:
        choose_output(form).show(server.pause(queue, {"region": region}, is_paused=True))


@click.command()
@click.argument("queue")
@_with_region
@with_output
@with_url
def resume(queue: str, region: str | None, url: str, form: Form) -> None:
    """Let jobs of a paused QUEUE start."""
    with Server(url) as server:
        choose_output(form).show(server.pause(queue, {"region": region}, is_paused=False))
