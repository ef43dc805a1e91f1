"""Which environments may serve a job queue, and what kind of queue they make."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.domain.errors import InvalidRequest, NotFound
from longshore.domain.ids import Scope
from longshore.domain.queue import SERVICE_QUEUE, EnvironmentOrder
from longshore.domain.service_environment import KIND, service_environment_key
from longshore.ports.store import ResourceReader
from longshore.service.environment_rules import architecture_of
from longshore.service.named import arn_of, find
from longshore.service.refusals import invalid

_MOST_ENVIRONMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentChoice:
    """A compute environment that is to serve a queue, by name or ARN."""

    order: int
    compute_environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironmentChoice:
    """A service environment that is to serve a queue, by name or ARN."""

    order: int
    service_environment: str


#: A queue has environments of one kind.
Choices = Sequence[EnvironmentChoice] | Sequence[ServiceEnvironmentChoice]


def one_kind(
    compute: Sequence[EnvironmentChoice] | None, service: Sequence[ServiceEnvironmentChoice] | None
) -> Choices | None:
    """Those that were given. Raises InvalidRequest when both were."""
    if compute and service:
        raise invalid("A job queue cannot have both computeEnvironmentOrder and serviceEnvironmentOrder")
    return compute if compute or service is None else service


def resolve_environments(
    reader: ResourceReader, scope: Scope, choices: Choices
) -> tuple[tuple[EnvironmentOrder, ...], str]:
    """The order of environments by name, and the queue type that they make.

    Raises:
        NotFound: one does not exist.
        InvalidRequest: they are too many, not VALID, of two families or architectures, or twice in one place.
    """
    if any(isinstance(choice, ServiceEnvironmentChoice) for choice in choices):
        chosen = [choice for choice in choices if isinstance(choice, ServiceEnvironmentChoice)]
        return _resolve_service(reader, scope, chosen), SERVICE_QUEUE
    return _resolve_compute(reader, scope, [choice for choice in choices if isinstance(choice, EnvironmentChoice)])


def _resolve_service(
    reader: ResourceReader, scope: Scope, choices: Sequence[ServiceEnvironmentChoice]
) -> tuple[EnvironmentOrder, ...]:
    if len(choices) > 1:
        raise invalid("A job queue cannot have more than 1 service environment")
    text = choices[0].service_environment
    environment = find(reader.service_environment, KIND, scope, text)
    if environment is None:
        raise NotFound(f"Service Environment {arn_of(KIND, scope, text)} does not exist")
    if environment.status not in ("VALID", "UPDATING"):
        raise InvalidRequest(f"Service Environment {environment.arn} is not valid")
    name = service_environment_key(environment.name)
    return (EnvironmentOrder(order=choices[0].order, environment_name=name),)


def _resolve_compute(
    reader: ResourceReader, scope: Scope, choices: Sequence[EnvironmentChoice]
) -> tuple[tuple[EnvironmentOrder, ...], str]:
    if len(choices) > _MOST_ENVIRONMENTS:
        raise invalid(f"A job queue cannot have more than {_MOST_ENVIRONMENTS} compute environments")
    if len({choice.order for choice in choices}) < len(choices):
        raise invalid("The orders of computeEnvironmentOrder should be unique")
    entries: list[EnvironmentOrder] = []
    families: set[str] = set()
    architectures: set[str] = set()
    for choice in choices:
        text = choice.compute_environment
        environment = find(reader.environment, "compute-environment", scope, text)
        if environment is None:
            raise NotFound(f"Compute Environment {arn_of('compute-environment', scope, text)} does not exist")
        if environment.status not in ("VALID", "UPDATING"):
            raise InvalidRequest(f"Compute Environment {environment.arn} is not valid")
        entries.append(EnvironmentOrder(order=choice.order, environment_name=environment.name))
        families.add(environment.queue_type)
        architectures.update(filter(None, [architecture_of(environment.document)]))
    if len({entry.environment_name for entry in entries}) < len(entries):
        raise invalid("A compute environment can serve a job queue once only")
    if len(families) > 1:
        raise invalid(
            f"The compute environments of a job queue should be of one kind, got {' and '.join(sorted(families))}"
        )
    if len(architectures) > 1:
        raise invalid("The compute environments of a job queue should all have one processor architecture")
    return tuple(entries), families.pop()
