"""Environments, queues and definitions."""

from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.container import (
    ContainerProperties,
    Device,
    HostVolume,
    KeyValue,
    LinuxParameters,
    LogConfiguration,
    MountPoint,
    ResourceRequirement,
    Secret,
    Tmpfs,
    Ulimit,
    Volume,
)
from longshore.domain.definition import JobTimeout
from longshore.domain.ids import Scope
from longshore.domain.queue import StateTimeLimitAction
from longshore.domain.quota import QuotaLimit, QuotaPreemption, QuotaShare, ResourceSharing
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.ports.store import Store
from longshore.testing.job_builders import A_SCOPE, a_definition, a_queue, a_service_environment, an_environment, moment

ELSEWHERE = Scope(account_id="000000000000", region="eu-west-1")

A_FULL_CONTAINER = ContainerProperties(
    image="busybox",
    command=("sh", "-c", "true", ""),
    environment=(KeyValue(name="A", value=""), KeyValue(name="B")),
    resource_requirements=(ResourceRequirement(type="VCPU", value="0.5"),),
    vcpus=0,
    privileged=False,
    ulimits=(Ulimit(name="nofile", hard_limit=10, soft_limit=5),),
    volumes=(Volume(name="data", host=HostVolume(source_path="/data")), Volume(name="scratch", host=HostVolume())),
    mount_points=(MountPoint(container_path="/data", read_only=False, source_volume="data"),),
    linux_parameters=LinuxParameters(
        devices=(Device(host_path="/dev/null"), Device(host_path="/dev/zero", permissions=())),
        tmpfs=(Tmpfs(container_path="/run", size=1, mount_options=("noexec",)),),
        swappiness=0,
    ),
    log_configuration=LogConfiguration(log_driver="awslogs", options={"group": "\u2603"}),
    secrets=(Secret(name="key", value_from="arn:aws:secretsmanager:us-east-1:000000000000:secret:key"),),
)


def a_quota_share(queue: str, name: str) -> QuotaShare:
    """One with every member."""
    return QuotaShare(
        scope=A_SCOPE,
        queue_name=queue,
        share_name=name,
        state="ENABLED",
        status="VALID",
        capacity_limits=(QuotaLimit(max_capacity=3, capacity_unit="ml.m5.large"),),
        resource_sharing_configuration=ResourceSharing(strategy="LEND_AND_BORROW", borrow_limit=150),
        preemption_configuration=QuotaPreemption(in_share_preemption="ENABLED"),
        tags={"team": name},
        created_at=moment(1),
    )


@pytest.mark.anyio
class ResourceContract:
    """What callers set up before they submit."""

    async def test_environment_is_kept_whole(self, store: Store) -> None:
        """Every member comes back, also an explicit null inside a document."""
        environment = an_environment(
            max_vcpus=0,
            status="UPDATING",
            document={"computeResources": {"subnets": [], "spotIamFleetRole": None, "n": 1.5}, "serviceRole": ""},
            tags={"longshore:engine": "process"},
        )
        await store.write(lambda tx: tx.put_environment(environment))
        assert await store.read(lambda reader: reader.environment(A_SCOPE, environment.name)) == environment

    async def test_environment_of_that_name_is_replaced(self, store: Store) -> None:
        """There is one environment of a name in a scope; names differ by case, and scopes are apart."""
        environment, changed = an_environment("e"), an_environment("e", state="DISABLED")
        other, elsewhere = an_environment("E"), an_environment("e", scope=ELSEWHERE)
        for record in (environment, other, elsewhere, changed):
            await store.write(lambda tx, record=record: tx.put_environment(record))
        assert await store.read(lambda reader: reader.environments(A_SCOPE)) == [other, changed]
        assert await store.read(lambda reader: reader.environment(ELSEWHERE, "e")) == elsewhere

    async def test_deleted_environment_is_gone(self, store: Store) -> None:
        """Only it goes; deleting what is not there is quiet."""
        kept, gone = an_environment("kept"), an_environment("gone")
        await store.write(lambda tx: (tx.put_environment(kept), tx.put_environment(gone)))
        for _ in range(2):
            await store.write(lambda tx: tx.delete_environment(A_SCOPE, "gone"))
        assert await store.read(lambda reader: reader.environment(A_SCOPE, "gone")) is None
        assert await store.read(lambda reader: reader.environments(None)) == [kept]

    async def test_environments_are_paged_by_name(self, store: Store) -> None:
        """In the order of names, of one scope or of all, those asked for or all."""
        records = [an_environment(name) for name in "dbca"]
        elsewhere = an_environment("bb", scope=ELSEWHERE)
        await store.write(lambda tx: [tx.put_environment(record) for record in (*records, elsewhere)])

        async def names(scope: Scope | None = A_SCOPE, **query: Any) -> str:
            found = await store.read(lambda reader: reader.environments(scope, **query))
            return " ".join(environment.name for environment in found)

        assert await names() == "a b c d"
        assert await names(limit=2) == "a b"
        assert await names(after="b", limit=1) == "c"
        assert await names(names=["d", "a", "x"]) == "a d"
        assert await names(names=["d", "a"], after="a") == "d"
        assert await names(names=[]) == ""
        assert await names(scope=None) == "a b bb c d"
        assert await names(scope=None, names=["bb", "c"]) == "bb c"

    async def test_service_environments_are_apart_from_others(self, store: Store) -> None:
        """They behave as environments do, and one may have the name of a compute environment."""
        environment, other = an_environment("e"), a_service_environment("f")
        service, changed = a_service_environment("e"), a_service_environment("e", state="DISABLED")
        await store.write(lambda tx: tx.put_environment(environment))
        for record in (service, other, changed):
            await store.write(lambda tx, record=record: tx.put_service_environment(record))
        assert await store.read(lambda reader: reader.service_environments(A_SCOPE)) == [changed, other]
        assert await store.read(lambda reader: reader.service_environments(None, names=["f"])) == [other]
        assert await store.read(lambda reader: reader.service_environment(ELSEWHERE, "e")) is None
        await store.write(lambda tx: tx.delete_service_environment(A_SCOPE, "e"))
        assert await store.read(lambda reader: reader.service_environment(A_SCOPE, "e")) is None
        assert await store.read(lambda reader: reader.environment(A_SCOPE, "e")) == environment

    async def test_queue_is_kept_whole_replaced_and_deleted(self, store: Store) -> None:
        """Queues behave as environments do."""
        queue = a_queue(
            "q",
            *("first", "second"),
            scheduling_policy_arn="arn:aws:batch:us-east-1:000000000000:scheduling-policy/fair",
            time_limit_actions=(
                StateTimeLimitAction(reason="CAPACITY", state="RUNNABLE", max_time_seconds=600, action="CANCEL"),
            ),
        )
        await store.write(lambda tx: tx.put_queue(queue))
        assert await store.read(lambda reader: reader.queue(A_SCOPE, "q")) == queue
        assert await store.read(lambda reader: reader.queue(ELSEWHERE, "q")) is None
        changed, another = a_queue("q", priority=7), a_queue("p")
        await store.write(lambda tx: (tx.put_queue(changed), tx.put_queue(another)))
        assert await store.read(lambda reader: reader.queues(A_SCOPE)) == [another, changed]
        assert await store.read(lambda reader: reader.queues(None, names=["q"])) == [changed]
        await store.write(lambda tx: tx.delete_queue(A_SCOPE, "q"))
        assert await store.read(lambda reader: reader.queues(A_SCOPE)) == [another]

    async def test_quota_shares_belong_to_their_queue(self, store: Store) -> None:
        """They are kept whole, listed by name, and go with it; those of a queue with a longer name are others."""
        shares = [a_quota_share(queue, name) for queue, name in (("q", "b"), ("q", "a"), ("q-1", "a"), ("q1", "c"))]
        for share in shares:
            await store.write(lambda tx, share=share: tx.put_quota_share(share))
        b, a, other, _ = shares
        assert await store.read(lambda reader: reader.quota_share(A_SCOPE, "q", "a")) == a
        assert await store.read(lambda reader: reader.quota_share(A_SCOPE, "q", "c")) is None
        assert await store.read(lambda reader: reader.quota_shares(A_SCOPE, "q")) == [a, b]
        assert await store.read(lambda reader: reader.quota_shares(A_SCOPE, "q", after="a", limit=1)) == [b]
        assert len(await store.read(lambda reader: reader.quota_shares(None))) == 4
        changed = replace(a, state="DISABLED", tags={"new": "yes"})
        await store.write(lambda tx: (tx.put_quota_share(changed), tx.delete_quota_share(b)))
        assert await store.read(lambda reader: reader.quota_shares(A_SCOPE, "q")) == [changed]
        await store.write(lambda tx: (tx.put_queue(a_queue("q")), tx.delete_queue(A_SCOPE, "q")))
        assert await store.read(lambda reader: reader.quota_shares(A_SCOPE, "q")) == []
        assert await store.read(lambda reader: reader.quota_shares(A_SCOPE, "q-1")) == [other]

    async def test_definition_is_kept_whole(self, store: Store) -> None:
        """Every member comes back; an empty tuple stays apart from an absent one."""
        definition = a_definition(
            container=A_FULL_CONTAINER,
            parameters={"input": "x"},
            retry_strategy=RetryStrategy(attempts=3, evaluate_on_exit=(EvaluateOnExit(action="retry", on_reason="*"),)),
            timeout=JobTimeout(attempt_duration_seconds=60),
            propagate_tags=False,
            platform_capabilities=("EC2",),
            tags={"a": ""},
            registered_at=moment(0.123456),
        )
        await store.write(lambda tx: tx.put_definition(definition))
        found = await store.read(lambda reader: reader.definition(A_SCOPE, "definition", 1))
        assert found == definition
        assert await store.read(lambda reader: reader.definition(A_SCOPE, "definition", 2)) is None

    async def test_revisions_count_up(self, store: Store) -> None:
        """Each name has its own, and a deregistered one is not given again."""
        assert await store.read(lambda reader: reader.latest_active_definition(A_SCOPE, "d")) is None
        for revision in (1, 2, 3):
            assert await store.write(lambda tx: tx.next_revision(A_SCOPE, "d")) == revision
            await store.write(lambda tx, revision=revision: tx.put_definition(a_definition("d", revision)))
        await store.write(lambda tx: tx.put_definition(a_definition("d", 3, status="INACTIVE")))
        assert await store.write(lambda tx: tx.next_revision(A_SCOPE, "d")) == 4
        assert await store.write(lambda tx: tx.next_revision(A_SCOPE, "other")) == 1
        assert await store.write(lambda tx: tx.next_revision(ELSEWHERE, "d")) == 1
        latest = await store.read(lambda reader: reader.latest_active_definition(A_SCOPE, "d"))
        assert latest == a_definition("d", 2)

    async def test_definitions_are_paged_newest_revision_first(self, store: Store) -> None:
        """By name, then from the newest revision down; the page goes on behind the last one seen."""
        inactive = {("a", 2), ("b", 1)}
        for name, revision in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1)]:
            definition = a_definition(name, revision)
            if (name, revision) in inactive:
                definition = replace(definition, status="INACTIVE")
            await store.write(lambda tx, definition=definition: tx.put_definition(definition))

        async def found(**query: Any) -> str:
            page = await store.read(lambda reader: reader.definitions(A_SCOPE, **query))
            return " ".join(f"{definition.name}{definition.revision}" for definition in page)

        assert await found() == "a3 a2 a1 b1 c1"
        assert await found(status="ACTIVE") == "a3 a1 c1"
        assert await found(name="a", status="INACTIVE") == "a2"
        assert await found(limit=2) == "a3 a2"
        assert await found(after=("a", 2), limit=2) == "a1 b1"
        assert await found(after=("a", 1), status="ACTIVE") == "c1"
        assert await found(name="a", after=("a", 3)) == "a2 a1"
