"""Results for programs: JSON in ASCII alone, so that it is also harmless on a terminal."""

import json
from collections.abc import Iterable

import click
import msgspec

from longshore.cli.output import changed
from longshore.service.documents import Document
from longshore.service.log_pages import LogLine, LogPage


class LogText(Document, frozen=True):
    """The whole output of an attempt."""

    job_id: str
    attempt: int | None
    region: str
    group: str
    stream: str
    lines: tuple[LogLine, ...]


class JsonOutput:
    """One document; of what is watched or grows, one on each line."""

    def show(self, result: Document) -> None:
        click.echo(json.dumps(msgspec.to_builtins(result), indent=2))

    def watch(self, results: Iterable[Document]) -> None:
        for result in changed(results):
            _echo_line(result)

    def show_log(self, pages: Iterable[LogPage], *, growing: bool) -> None:
        if growing:
            for page in pages:
                for line in page.lines:
                    _echo_line(line)
            return
        read = list(pages)
        text = LogText(
            job_id=read[-1].job_id,
            attempt=read[-1].attempt,
            region=read[-1].region,
            group=read[-1].group,
            stream=read[-1].stream,
            lines=tuple(line for page in read for line in page.lines),
        )
        self.show(text)


def _echo_line(document: Document) -> None:
    click.echo(json.dumps(msgspec.to_builtins(document)))
