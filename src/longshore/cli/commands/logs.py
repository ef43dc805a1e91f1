"""`longshore logs`."""

from collections.abc import Iterator

import click

from longshore.cli.asking import with_url
from longshore.cli.errors import JobFailed, NotThere
from longshore.cli.output import Form, choose_output, with_output
from longshore.cli.plain import plain
from longshore.cli.server import PATIENCE_SECONDS, Server
from longshore.domain.lifecycle.status import JobStatus
from longshore.service.log_pages import LogPage

#: How long the server may wait for something to be written before it answers.
_WAIT_SECONDS = 2
#: As shells report a program that SIGINT ended.
_INTERRUPTED = 130


class _Reading:
    """Reads an attempt to its present end; or follows it, and without a number the job through all its attempts."""

    def __init__(self, server: Server, job: str, attempt: int | None, container: str | None, *, follow: bool) -> None:
        self._server = server
        self._job = job
        self._attempt = attempt
        self._container = container
        self._follow = follow
        #: the last page that was read
        self.last: LogPage | None = None

    def pages(self) -> Iterator[LogPage]:
        """Pages of lines in their order, empty ones among them."""
        attempt, token = self._attempt, None
        wait = _WAIT_SECONDS if self._follow else None
        while True:
            page = self._server.log(
                self._job, {"attempt": attempt, "container": self._container, "token": token, "wait": wait}
            )
            if self._follow:
                self._note(page)
            self.last = page
            yield page
            attempt, token = page.attempt or attempt, page.next_token
            if not self._follow and not page.lines:
                return
            if page.is_end and (self._attempt is not None or page.status.is_final):
                return
            if page.is_end:
                attempt, token = (page.attempt or 0) + 1, None

    def _note(self, page: LogPage) -> None:
        """Say on standard error what lines do not show: for what they are awaited, and where another attempt begins."""
        before = self.last
        if page.attempt is None and not page.is_end:
            state = f"{page.status}: {page.status_reason}" if page.status_reason else page.status
            if before is None or (before.attempt, before.status_reason) != (None, page.status_reason):
                click.echo(f"[no output yet: {plain(state)}]", err=True)
        elif page.attempt is not None and page.attempt > 1 and (before is None or before.attempt != page.attempt):
            click.echo(f"[attempt {page.attempt}]", err=True)


@click.command()
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on as output comes, through later attempts, until the job ends.")
@click.option("--attempt", type=click.IntRange(1), help="Only this attempt; without: the latest, with -f from it on.")
@click.option("--container", help="Of a job with several, the one of this name; without: the first that decides.")
@click.option("--index", type=click.IntRange(0), help="The child of an array job; the same as JOB:INDEX.")
@with_output
@with_url
@click.pass_context
def logs(
    context: click.Context,
    job: str,
    url: str,
    form: Form,
    follow: bool,
    attempt: int | None,
    container: str | None,
    index: int | None,
) -> None:
    """Print the output of JOB, stdout and stderr together.

    JOB is a job's id, a child's (ID:INDEX), a node's (ID#NODE), or the ARN of any. Escape sequences and control
    characters are left out. With -f the exit code is that of the job: 0 if it succeeded, 1 if it failed.
    """
    output = choose_output(form)
    with Server(url, patience_seconds=PATIENCE_SECONDS if follow else 0.0) as server:
        reading = _Reading(server, job if index is None else f"{job}:{index}", attempt, container, follow=follow)
        try:
            output.show_log(reading.pages(), growing=follow)
        except KeyboardInterrupt:
            context.exit(_INTERRUPTED)
    last = reading.last
    assert last is not None
    if last.attempt is None and not (follow and attempt is None):
        which = "output yet" if attempt is None else f"attempt {attempt}"
        raise NotThere(f"job {last.job_id} is {last.status} and has no {which}")
    if follow and attempt is None and last.status is JobStatus.FAILED:
        raise JobFailed(f"job {last.job_id} FAILED: {last.status_reason}")
