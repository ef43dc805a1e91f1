"""Rules on definitions that the golden answers do not go through one by one."""

from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.container import (
    ContainerProperties,
    EfsAuthorization,
    EfsVolume,
    EphemeralStorage,
    FargatePlatformConfiguration,
    HostVolume,
    LinuxParameters,
    LogConfiguration,
    MountPoint,
    RuntimePlatform,
    Tmpfs,
    Ulimit,
    Volume,
)
from longshore.domain.definition import JobTimeout
from longshore.domain.errors import InvalidRequest
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.service.attempt_rules import check_retry, check_timeout
from longshore.service.container_rules import check_container

PLAIN = ContainerProperties(image="registry.example:5000/team/image@sha256:abc", execution_role_arn="arn:aws:iam::1:x")
EFS = EfsVolume(file_system_id="fs-1")


def on_efs(**members: Any) -> dict[str, Any]:
    return {"volumes": (Volume(name="v", efs_volume_configuration=replace(EFS, **members)),)}


def linux(**members: Any) -> dict[str, Any]:
    return {"linux_parameters": LinuxParameters(**members)}


@pytest.mark.parametrize(
    "members",
    [
        {"user": "nobody"},
        {"user": "1000:1000"},
        {"ulimits": (Ulimit(name="nofile", soft_limit=1, hard_limit=1),)},
        {"volumes": (Volume(name="v"), Volume(name="w", host=HostVolume(source_path="/x")))},
        {"volumes": (Volume(name="v"),), "mount_points": (MountPoint(source_volume="v", container_path="/v"),)},
        on_efs(),
        on_efs(transit_encryption="ENABLED", authorization_config=EfsAuthorization(access_point_id="a")),
        linux(tmpfs=(Tmpfs(container_path="/t", size=1, mount_options=("noexec", "mode=755", "rw")),)),
        linux(max_swap=0, swappiness=0, shared_memory_size=64),
    ],
)
def test_ec2_takes(members: dict[str, Any]) -> None:
    check_container(replace(PLAIN, **members), fargate=False)


@pytest.mark.parametrize(
    "members",
    [
        {"image": None},
        {"image": "has space"},
        {"image": "x" * 256},
        {"instance_type": "m5.large"},
        {"user": "a:b:c"},
        {"user": ""},
        {"ulimits": (Ulimit(name="files", soft_limit=1, hard_limit=1),)},
        {"ulimits": (Ulimit(name="nofile", soft_limit=2, hard_limit=1),)},
        {"volumes": (Volume(name="v"), Volume(name="v"))},
        {"volumes": (Volume(),)},
        {"volumes": (Volume(name="v", host=HostVolume(), efs_volume_configuration=EFS),)},
        {"volumes": (Volume(name="v"),), "mount_points": (MountPoint(source_volume="v"),)},
        on_efs(transit_encryption_port=70_000),
        on_efs(root_directory="/x" * 3000),
        on_efs(authorization_config=EfsAuthorization(access_point_id="a")),
        on_efs(root_directory="/x", authorization_config=EfsAuthorization(access_point_id="a")),
        on_efs(transit_encryption="ENABLED", authorization_config=EfsAuthorization(iam="ENABLED")),
        linux(swappiness=101),
        linux(max_swap=-1),
        linux(shared_memory_size=0),
        linux(tmpfs=(Tmpfs(container_path="/t", size=0),)),
        linux(tmpfs=(Tmpfs(container_path="/t", size=1, mount_options=("bogus",)),)),
        {"fargate_platform_configuration": FargatePlatformConfiguration()},
        {"ephemeral_storage": EphemeralStorage(size_in_gib=30)},
    ],
)
def test_ec2_refuses(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check_container(replace(PLAIN, **members), fargate=False)


@pytest.mark.parametrize(
    "members",
    [
        {"privileged": False, "linux_parameters": LinuxParameters(init_process_enabled=True)},
        {"ephemeral_storage": EphemeralStorage(size_in_gib=21)},
        {"runtime_platform": RuntimePlatform(operating_system_family="LINUX", cpu_architecture="ARM64")},
        {"volumes": (Volume(name="v", host=HostVolume()),)},
        {"log_configuration": LogConfiguration(log_driver="awslogs")},
    ],
)
def test_fargate_takes(members: dict[str, Any]) -> None:
    check_container(replace(PLAIN, **members), fargate=True)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"execution_role_arn": None}, "executionRoleArn is required for Fargate."),
        ({"ephemeral_storage": EphemeralStorage(size_in_gib=20)}, "ephemeralStorage should be between 21 and 200 GiB"),
        (
            {"volumes": (Volume(name="v", host=HostVolume(source_path="/x")),)},
            "host.sourcePath is not applicable for Fargate.",
        ),
        (linux(swappiness=60), "swappiness is not applicable for Fargate."),
        (
            {"log_configuration": LogConfiguration(log_driver="syslog")},
            "logDriver syslog is not applicable for Fargate.",
        ),
        (
            on_efs() | {"fargate_platform_configuration": FargatePlatformConfiguration(platform_version="1.3.0")},
            "EFS is supported for Fargate platform version 1.4.0",
        ),
        (
            {
                "runtime_platform": RuntimePlatform(
                    operating_system_family="WINDOWS_SERVER_2022_CORE", cpu_architecture="ARM64"
                )
            },
            "Windows containers need the cpuArchitecture X86_64",
        ),
    ],
)
def test_fargate_refuses(members: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_container(replace(PLAIN, **members), fargate=True)
    assert refusal.value.message == text


@pytest.mark.parametrize(
    "rule",
    [
        EvaluateOnExit(action="RETRY"),
        EvaluateOnExit(action="exit", on_status_reason="Host EC2*", on_reason="*", on_exit_code="13*"),
        EvaluateOnExit(action="Exit", on_reason="CannotPullContainerError:*", on_exit_code="*"),
        EvaluateOnExit(action="EXIT", on_status_reason="Task failed to start", on_reason=""),
    ],
)
def test_rules_that_can_be_matched(rule: EvaluateOnExit) -> None:
    check_retry(RetryStrategy(attempts=10, evaluate_on_exit=(rule,) * 5))


@pytest.mark.parametrize(
    "rule",
    [
        EvaluateOnExit(action="RETRY", on_status_reason="*EC2"),
        EvaluateOnExit(action="RETRY", on_status_reason="Host (x)"),
        EvaluateOnExit(action="RETRY", on_reason="a**"),
        EvaluateOnExit(action="RETRY", on_exit_code="1x"),
    ],
)
def test_restricted_characters(rule: EvaluateOnExit) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_retry(RetryStrategy(attempts=2, evaluate_on_exit=(rule,)))
    assert refusal.value.message == "Evaluate on exit condition contains restricted characters"
    assert not refusal.value.wrapped


@pytest.mark.parametrize(
    "strategy",
    [
        RetryStrategy(attempts=0),
        RetryStrategy(attempts=11),
        RetryStrategy(attempts=2, evaluate_on_exit=(EvaluateOnExit(action="EXIT"),) * 6),
        RetryStrategy(attempts=2, evaluate_on_exit=(EvaluateOnExit(action="STOP"),)),
        RetryStrategy(attempts=2, evaluate_on_exit=(EvaluateOnExit(action="EXIT", on_reason="x" * 513),)),
    ],
)
def test_strategies_out_of_bounds(strategy: RetryStrategy) -> None:
    with pytest.raises(InvalidRequest):
        check_retry(strategy)


def test_timeouts() -> None:
    check_timeout(JobTimeout())
    check_timeout(JobTimeout(attempt_duration_seconds=60))
    with pytest.raises(InvalidRequest):
        check_timeout(JobTimeout(attempt_duration_seconds=59))
