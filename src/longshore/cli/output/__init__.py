"""What is done with a command's result: shown to people as tables, given to programs as JSON, or cut to the bone."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Protocol, TypeVar

import click

from longshore.service.documents import Document
from longshore.service.log_pages import LogPage

Form = Literal["table", "json", "quiet"]
Command = TypeVar("Command", bound=Callable[..., object])


class Output(Protocol):
    """One form of output, on standard output."""

    def show(self, result: Document) -> None:
        """Show a result."""
        ...

    def watch(self, results: Iterable[Document]) -> None:
        """Show each result in place of the one before."""
        ...

    def show_log(self, pages: Iterable[LogPage], *, growing: bool) -> None:
        """Show the lines of an attempt, or of several; as they come when it is `growing`."""
        ...


def with_output(command: Command) -> Command:
    """Give a command the options that choose its `form` of output."""
    quiet = click.option("-q", "--quiet", "form", flag_value="quiet", help="Only ids, a sentence, or nothing.")
    as_json = click.option(
        "--json", "form", flag_value="json", help="A JSON document, or one on each line as they come."
    )
    table = click.option("--table", "form", flag_value="table", default=True, hidden=True)
    return quiet(as_json(table(command)))


def changed(results: Iterable[Document]) -> Iterator[Document]:
    """The results without those that equal the one before."""
    last = None
    for result in results:
        if result != last:
            yield result
        last = result


def choose_output(form: Form) -> Output:
    """The output of that form; what it needs is only loaded then."""
    match form:
        case "json":
            from longshore.cli.output.json import JsonOutput

            return JsonOutput()
        case "quiet":
            from longshore.cli.output.quiet import QuietOutput

            return QuietOutput()
        case "table":
            from longshore.cli.output.table import TableOutput

            return TableOutput()
