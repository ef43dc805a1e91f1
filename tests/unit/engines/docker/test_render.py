"""What the engine is asked to create for a launch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore.domain.container import (
    ContainerSettings,
    Device,
    EfsVolume,
    HostVolume,
    LinuxParameters,
    MountPoint,
    Tmpfs,
    Ulimit,
    Volume,
)
from longshore.domain.resources import Resources
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.parse import EngineInfo, Plugins
from longshore.engines.docker.render import (
    Json,
    SpecRejected,
    container_name,
    ignored_settings,
    render_create,
)
from longshore.ports.engine import LaunchSpec
from longshore.testing.builders import A_SMALL_SHARE, a_launch

CONFIG = DockerConfig(installation_id="0123456789abcdef", host_paths=(Path("/data"), Path("/dev/fuse")))
INFO = EngineInfo(cpus=4, plugins=Plugins(log=["json-file", "local"]))
MIB = 2**20


def launch(*, resources: Resources = A_SMALL_SHARE, cap: bool = False, **settings: Any) -> LaunchSpec:
    spec = a_launch("run", "it", log_path=Path("/none"), resources=resources)
    container = replace(
        spec.container,
        vcpu_is_cap=cap,
        environment={"A": "1", "B": "x=y"},
        settings=ContainerSettings(**settings),
    )
    return replace(spec, container=container)


def no_links(path: str) -> str:
    return path


def body_of(spec: LaunchSpec, *, config: DockerConfig = CONFIG, info: EngineInfo = INFO) -> Json:
    return render_create(spec, config, info, no_links)


def host_config_of(spec: LaunchSpec, *, config: DockerConfig = CONFIG, info: EngineInfo = INFO) -> Json:
    host_config = body_of(spec, config=config, info=info)["HostConfig"]
    assert isinstance(host_config, dict)
    return host_config  # pyright: ignore[reportUnknownVariableType]


def host_mount(source: str | None, *, read_only: bool | None = None) -> dict[str, object]:
    return {
        "volumes": (Volume(name="v", host=HostVolume(source_path=source)),),
        "mount_points": (MountPoint(source_volume="v", container_path="/in", read_only=read_only),),
    }


def test_container_bears_its_attempt_and_installation() -> None:
    """Name and labels say whose it is, so that it can be found by the attempt's id alone."""
    spec = launch()
    assert container_name("0123456789abcdef", spec.attempt_id) == f"longshore-01234567-{spec.attempt_id}"
    assert body_of(spec)["Labels"] == {
        "longshore.installation": "0123456789abcdef",
        "longshore.attempt": spec.attempt_id,
        "longshore.job": spec.job_id,
        "longshore.node": "0",
        "longshore.container": "default",
        "longshore.version": "1",
    }


def test_container_bears_the_tags_of_its_job() -> None:
    labels = body_of(replace(launch(), tags={"team": "a"}))["Labels"]
    assert isinstance(labels, dict)
    assert labels["longshore.tag.team"] == "a"


def test_command_and_environment() -> None:
    """Both go over as they are; without a command the image's own is run."""
    body = body_of(launch())
    assert body["Cmd"] == ["run", "it"]
    assert body["Env"] == ["A=1", "B=x=y"]
    spec = launch()
    bare = replace(spec.container, command=())
    assert "Cmd" not in body_of(replace(spec, container=bare))


@pytest.mark.parametrize(("milli", "shares"), [(1000, 1024), (2500, 2560), (1, 2), (1_000_000, 262_144)])
def test_vcpu_is_a_weight(milli: int, shares: int) -> None:
    """1,024 shares per vCPU, within what the kernel takes; no ceiling."""
    host_config = host_config_of(launch(resources=Resources(vcpu_milli=milli, memory_mib=8)))
    assert host_config["CpuShares"] == shares
    assert "NanoCpus" not in host_config


@pytest.mark.parametrize(("milli", "nanos"), [(250, 250_000_000), (4000, 4_000_000_000), (16_000, 4_000_000_000)])
def test_vcpu_is_a_cap_where_asked(milli: int, nanos: int) -> None:
    """A ceiling, never above the CPUs of the host, which the engine would refuse."""
    host_config = host_config_of(launch(resources=Resources(vcpu_milli=milli, memory_mib=8), cap=True))
    assert host_config["NanoCpus"] == nanos
    assert "CpuShares" not in host_config


@pytest.mark.parametrize(
    ("max_swap", "swappiness", "expected"),
    [
        (None, None, {"Memory": 64 * MIB}),
        (None, 10, {"Memory": 64 * MIB}),
        (0, None, {"Memory": 64 * MIB, "MemorySwap": 64 * MIB}),
        (32, 10, {"Memory": 64 * MIB, "MemorySwap": 96 * MIB, "MemorySwappiness": 10}),
    ],
)
def test_memory_and_swap(max_swap: int | None, swappiness: int | None, expected: Json) -> None:
    """Memory is a hard limit; swap comes on top as the definition says, and swappiness only beside it."""
    linux = LinuxParameters(max_swap=max_swap, swappiness=swappiness)
    host_config = host_config_of(launch(resources=Resources(vcpu_milli=1, memory_mib=64), linux_parameters=linux))
    assert {name: value for name, value in host_config.items() if name.startswith("Memory")} == expected


def test_memory_is_at_least_what_docker_takes() -> None:
    """AWS Batch allows 4 MiB, Docker no less than 6."""
    assert host_config_of(launch(resources=Resources(vcpu_milli=1, memory_mib=4)))["Memory"] == 6 * MIB


def test_plain_settings() -> None:
    """Each has its counterpart."""
    linux = LinuxParameters(
        init_process_enabled=True,
        shared_memory_size=16,
        tmpfs=(
            Tmpfs(container_path="/t", size=5, mount_options=("noexec", "uid=1")),
            Tmpfs(container_path="/u", size=1),
        ),
    )
    spec = launch(
        user="1:2",
        readonly_root_filesystem=True,
        ulimits=(Ulimit(name="nofile", soft_limit=10, hard_limit=20),),
        linux_parameters=linux,
    )
    assert body_of(spec)["User"] == "1:2"
    host_config = host_config_of(spec, config=replace(CONFIG, network="host"))
    assert host_config["ReadonlyRootfs"] is True
    assert host_config["Ulimits"] == [{"Name": "nofile", "Soft": 10, "Hard": 20}]
    assert host_config["Init"] is True
    assert host_config["ShmSize"] == 16 * MIB
    assert host_config["Tmpfs"] == {"/t": "size=5m,noexec,uid=1", "/u": "size=1m"}
    assert host_config["NetworkMode"] == "host"
    assert host_config["Privileged"] is False


def test_gpus_are_those_that_were_placed() -> None:
    """By name, not by number."""
    spec = launch()
    container = replace(spec.container, gpu_names=("GPU-a", "GPU-b"))
    host_config = host_config_of(replace(spec, container=container))
    assert host_config["DeviceRequests"] == [
        {"Driver": "nvidia", "DeviceIDs": ["GPU-a", "GPU-b"], "Capabilities": [["gpu"]]}
    ]
    assert "DeviceRequests" not in host_config_of(spec)


def test_output_is_bounded() -> None:
    """By the log driver that keeps bytes as they are, or where there is none, by the one that all engines have."""
    config = replace(CONFIG, log_mib=8)
    local = host_config_of(launch(), config=config)["LogConfig"]
    assert local == {"Type": "local", "Config": {"max-size": "2048k", "max-file": "4", "compress": "false"}}
    podman = EngineInfo(plugins=Plugins(log=["json-file", "journald"]))
    other = host_config_of(launch(), config=config, info=podman)["LogConfig"]
    assert other == {"Type": "json-file", "Config": {"max-size": "2048k", "max-file": "4"}}


def test_host_volumes_on_the_allow_list() -> None:
    """A listed folder and all below it may be mounted."""
    assert host_config_of(launch(**host_mount("/data")))["Binds"] == ["/data:/in"]
    assert host_config_of(launch(**host_mount("/data/a/b", read_only=True)))["Binds"] == ["/data/a/b:/in:ro"]


@pytest.mark.parametrize("path", ["/", "/database", "/etc", "/data/../etc", "data"])
def test_host_volumes_elsewhere_are_refused(path: str) -> None:
    """Nothing else, and by default nothing at all: to mount the host's folders is to own the host."""
    with pytest.raises(SpecRejected, match="docker.host_paths|not absolute"):
        render_create(launch(**host_mount(path)), CONFIG, INFO, lambda path: {"/data/../etc": "/etc"}.get(path, path))
    with pytest.raises(SpecRejected, match="docker.host_paths"):
        body_of(launch(**host_mount("/data")), config=DockerConfig(installation_id="0123456789abcdef"))


def test_links_are_resolved_before_the_check() -> None:
    """A link out of a listed folder leads nowhere; a listed folder may itself be behind a link."""
    with pytest.raises(SpecRejected, match="docker.host_paths"):
        render_create(launch(**host_mount("/data/link")), CONFIG, INFO, lambda p: "/etc" if p == "/data/link" else p)
    moved = render_create(
        launch(**host_mount("/data/a")), CONFIG, INFO, lambda path: path.replace("/data", "/mnt/data")
    )["HostConfig"]
    assert isinstance(moved, dict)
    assert moved["Binds"] == ["/mnt/data/a:/in"]


def test_devices_need_the_allow_list_too() -> None:
    """With the permissions asked for; all when none are."""
    fuse = Device(host_path="/dev/fuse")
    read_only = Device(host_path="/dev/fuse", container_path="/dev/f", permissions=("READ", "MKNOD"))
    spec = launch(linux_parameters=LinuxParameters(devices=(fuse, read_only)))
    assert host_config_of(spec)["Devices"] == [
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"},
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/f", "CgroupPermissions": "rm"},
    ]
    with pytest.raises(SpecRejected, match="docker.host_paths"):
        body_of(launch(linux_parameters=LinuxParameters(devices=(Device(host_path="/dev/sda"),))))


def test_volumes_without_a_path_are_anonymous() -> None:
    """They go with the container; a read-only one is an empty folder."""
    writable, read_only = launch(**host_mount(None)), launch(**host_mount(None, read_only=True))
    assert body_of(writable)["Volumes"] == {"/in": {}}
    assert "Volumes" not in body_of(read_only)
    assert host_config_of(read_only)["Tmpfs"] == {"/in": "ro"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mount_points": (MountPoint(source_volume="w", container_path="/in"),)}, "'w'"),
        (host_mount("/data/a:b"), "colon"),
        (
            {**host_mount("/data"), "mount_points": (MountPoint(source_volume="v", container_path="in"),)},
            "containerPath",
        ),
        (
            {
                **host_mount(None),
                "volumes": (Volume(name="v", efs_volume_configuration=EfsVolume(file_system_id="fs-1")),),
            },
            "EFS",
        ),
        ({"privileged": True}, "docker.privileged"),
    ],
)
def test_what_cannot_be_honoured_is_rejected(settings: dict[str, object], words: str) -> None:
    """With a reason that says what, and which setting decides."""
    with pytest.raises(SpecRejected, match=words):
        body_of(launch(**settings))


def test_privileged_by_policy() -> None:
    """Allowed, or dropped, which explain then says."""
    allow, drop = replace(CONFIG, privileged="allow"), replace(CONFIG, privileged="drop")
    assert host_config_of(launch(privileged=True), config=allow)["Privileged"] is True
    assert host_config_of(launch(), config=allow)["Privileged"] is False
    assert host_config_of(launch(privileged=True), config=drop)["Privileged"] is False
    assert "privileged" in ignored_settings(drop, INFO)
    assert "privileged" not in ignored_settings(allow, INFO)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("installation_id", "short"),
        ("installation_id", "has a blank in it"),
        ("socket", "/var/run/docker.sock"),
        ("host_paths", (Path("relative"),)),
        ("log_mib", 0),
        ("concurrency", 0),
    ],
)
def test_wrong_settings_are_named(member: str, value: object) -> None:
    """ValueError says which."""
    with pytest.raises(ValueError, match=member.replace("_", "[_ ]")):
        replace(CONFIG, **{member: value})
