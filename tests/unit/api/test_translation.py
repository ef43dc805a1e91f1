"""Wire structures become domain records, and records become wire structures."""

from dataclasses import dataclass, field

import msgspec
import pytest

from longshore.api.aws.batch.wire.structures import ContainerProperties, EvaluateOnExit, RetryStrategy
from longshore.api.aws.translation import to_domain, to_wire
from longshore.domain import definition
from longshore.domain.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    action: str
    on_reason: str = "*"
    on_exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    evaluate_on_exit: tuple[Rule, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        return 1 + len(self.evaluate_on_exit)


def test_what_was_not_sent_gets_the_records_default() -> None:
    strategy = RetryStrategy(attempts=3, evaluate_on_exit=[EvaluateOnExit(action="retry")])
    assert to_domain(strategy, Rules) == Rules(evaluate_on_exit=(Rule(action="retry"),))


def test_properties_are_taken_too() -> None:
    strategy = to_wire(Rules(evaluate_on_exit=(Rule(action="EXIT"),)), RetryStrategy)
    assert strategy == RetryStrategy(attempts=2, evaluate_on_exit=[EvaluateOnExit(action="EXIT", on_reason="*")])


def test_a_record_that_asks_for_more_refuses_the_request() -> None:
    with pytest.raises(InvalidRequest, match="on_exit_code"):
        to_domain(RetryStrategy(evaluate_on_exit=[EvaluateOnExit(action="EXIT", on_exit_code="x")]), Rules)


def test_a_container_survives_the_way_through_the_domain() -> None:
    sent = {
        "image": "busybox",
        "command": ["echo", "Ref::text"],
        "environment": [{"name": "A", "value": ""}],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}],
        "linuxParameters": {"devices": [{"hostPath": "/dev/fuse"}], "tmpfs": [{"containerPath": "/t", "size": 1}]},
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}, "secretOptions": []},
        "volumes": [
            {"name": "v", "host": {"sourcePath": "/"}},
            {"name": "s", "efsVolumeConfiguration": {"fileSystemId": "f"}},
        ],
        "mountPoints": [{"containerPath": "/v", "sourceVolume": "v", "readOnly": False}],
        "ulimits": [],
        "secrets": [],
        "privileged": False,
    }
    wire = msgspec.convert(sent, ContainerProperties)
    record = to_domain(wire, definition.ContainerProperties)
    assert isinstance(record, definition.ContainerProperties)
    assert msgspec.to_builtins(to_wire(record, ContainerProperties)) == sent
