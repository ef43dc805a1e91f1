"""`longshore submit`."""

import json
from collections.abc import Mapping, Sequence
from io import TextIOBase
from typing import Any, cast

import click

from longshore.cli.asking import with_url
from longshore.cli.errors import Failure
from longshore.cli.output import Form, choose_output, with_output
from longshore.cli.server import Server


def _pairs(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> Mapping[str, str]:
    """`NAME=VALUE`, each."""
    pairs = [text.partition("=") for text in given]
    for name, sign, value in pairs:
        if not name or not sign:
            raise click.BadParameter(f"{name}{sign}{value} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


@click.command()
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--request", type=click.File(), help="JSON of a SubmitJob request; -: standard input. Options add to it.")
@click.option("--name", help="The job's name.")
@click.option("--queue", help="Name or ARN of its queue.")
@click.option("--definition", help="Name, name:revision or ARN of its definition.")
@click.option("--array", "size", type=int, help="Make it an array job with so many children.")
@click.option(
    "--parameter", "parameters", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="May be repeated."
)
@click.option(
    "--tag", "tags", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="May be repeated; longshore: tags too."
)
@click.option(
    "--env", "environment", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="A variable; may be repeated."
)
@click.option("--vcpus", help="In place of the definition's.")
@click.option("--memory", help="In MiB, in place of the definition's.")
@click.option("--gpus", help="In place of the definition's.")
@click.option("--depends-on", multiple=True, metavar="JOB", help="Id of a job that must succeed; may be repeated.")
@click.option("--share", help="Its share identifier, where the queue has a scheduling policy.")
@click.option("--priority", type=int, help="Its scheduling priority within the share.")
@click.option("--attempts", type=int, help="How often it is tried at most.")
@click.option("--timeout", type=int, metavar="SECONDS", help="How long an attempt may run.")
@click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    show_envvar=True,
    help="Where its queue is; that of the server where none is given.",
)
@click.option("--dry-run", is_flag=True, help="Submit nothing: say where and when it would start, and what it delays.")
@with_output
@with_url
def submit(
    url: str, form: Form, request: TextIOBase | None, region: str | None, *, dry_run: bool, **options: Any
) -> None:
    """Submit a job, or say what would become of it (--dry-run).

    COMMAND, behind --, is in place of the definition's. What no option is for goes into a request (--request).
    """
    asked = _merged({} if request is None else _read(request), _members(**options))
    output, arguments = choose_output(form), {"region": region}
    with Server(url) as server:
        output.show(server.what_if(asked, arguments) if dry_run else server.submit(asked, arguments))


def _read(request: TextIOBase) -> dict[str, Any]:
    try:
        members = json.load(request)
    except (ValueError, RecursionError) as problem:
        raise Failure(f"the request is no JSON: {problem}") from problem
    if not isinstance(members, dict):
        raise Failure("the request is no JSON object")
    return cast("dict[str, Any]", members)


def _members(
    *,
    command: Sequence[str],
    name: str | None,
    queue: str | None,
    definition: str | None,
    size: int | None,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    environment: Mapping[str, str],
    vcpus: str | None,
    memory: str | None,
    gpus: str | None,
    depends_on: Sequence[str],
    share: str | None,
    priority: int | None,
    attempts: int | None,
    timeout: int | None,
) -> dict[str, Any]:
    """The members of a request that options are for; empty, or None, where they were not given."""
    needs = {"VCPU": vcpus, "MEMORY": memory, "GPU": gpus}
    return {
        "jobName": name,
        "jobQueue": queue,
        "jobDefinition": definition,
        "arrayProperties": {"size": size},
        "parameters": parameters,
        "tags": tags,
        "containerOverrides": {
            "command": list(command),
            "environment": [{"name": key, "value": value} for key, value in environment.items()],
            "resourceRequirements": [{"type": kind, "value": value} for kind, value in needs.items() if value],
        },
        "dependsOn": [{"jobId": job_id} for job_id in depends_on],
        "shareIdentifier": share,
        "schedulingPriorityOverride": priority,
        "retryStrategy": {"attempts": attempts},
        "timeout": {"attemptDurationSeconds": timeout},
    }


def _merged(request: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The request with what options say: objects member by member, anything else in its place."""
    merged = dict(request)
    for name, value in options.items():
        if isinstance(value, dict):
            earlier = cast("dict[str, Any]", merged[name] if isinstance(merged.get(name), dict) else {})
            value = _merged(earlier, cast("dict[str, Any]", value))
        if value not in (None, [], {}):
            merged[name] = value
    return merged
