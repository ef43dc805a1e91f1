"""From a launch to what the runner is asked to start, or to the reason why it cannot be."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from longshore.domain.ids import AttemptId
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.wire import LIMITS, Item
from longshore.ports.engine import LaunchSpec

_NO_MOUNTS = (
    "plain processes have no mounts of their own; they see the files of this machine. Where a volume is, stands in "
    "a variable called LONGSHORE_VOLUME_ and the name of the volume"
)
#: container settings that plain processes cannot honour: member of the launch to the reason
IGNORED = {
    "image": "plain processes run the programs of this machine; the image is not used",
    "privileged": "a plain process has the rights of the user it runs as, no more",
    "readonly_root_filesystem": "plain processes see the files of this machine as their user may",
    "volumes": _NO_MOUNTS,
    "mount_points": _NO_MOUNTS,
    "linux_parameters": "plain processes have no devices, shared memory, tmpfs, swap or init process of their own",
    "vcpus": "vCPUs are counted when jobs are placed; a plain process is not held to them",
    "network_configuration": "plain processes use the network of this machine",
    "ephemeral_storage": "plain processes share the disk of this machine",
    "enable_execute_command": "there is no way into a plain process",
    "runtime_platform": "plain processes run on this machine's processor and operating system",
    "repository_credentials": "no image is pulled",
}
NO_MEMORY_LIMIT = "memory is counted when jobs are placed; a plain process is not held to it"

#: of command and environment together; Linux takes about 2 MiB. Source: execve(2)
MAX_CHARACTERS = 2 * 1024 * 1024


class SpecRejected(Exception):
    """The launch cannot be carried out as it is; the text says why."""


def render_item(spec: LaunchSpec, config: ProcessConfig) -> Item:
    """What the runner is asked for. Raises SpecRejected."""
    container = spec.container
    command = [*container.entrypoint, *container.command]
    if not command:
        raise SpecRejected("no command is given, and that of the image is not known to plain processes")
    environment = {**container.environment, **volume_variables(spec, config)}
    texts = (*command, *environment, *environment.values())
    if sum(map(len, texts)) > MAX_CHARACTERS:
        raise SpecRejected(f"command and environment have more than {MAX_CHARACTERS} characters together")
    for text in texts:
        if "\0" in text or not _has_bytes(text):
            raise SpecRejected("the command or the environment holds a character that no process can be given")
    if any(not name or "=" in name for name in environment):
        raise SpecRejected("the name of an environment variable is empty or holds an equals sign")
    user = container.settings.user or ""
    if config.user is not None:
        if user and user != config.user:
            raise SpecRejected(f"it asks for user {user!r}, and all jobs here run as {config.user!r}")
        user = config.user
    limits: list[tuple[str, int, int]] = []
    for limit in container.settings.ulimits:
        if limit.name not in LIMITS:
            raise SpecRejected(f"there is no ulimit {limit.name!r}")
        if limit.soft_limit < -1 or limit.hard_limit < -1:
            raise SpecRejected(f"ulimit {limit.name!r} is below -1, which stands for unlimited")
        limits.append((limit.name, limit.soft_limit, limit.hard_limit))
    return Item(
        id=spec.attempt_id,
        node=spec.node,
        container=container.name,
        command=command,
        environment=environment,
        log=str(container.log_path.absolute()),
        user=user,
        limits=limits,
        memory_bytes=container.resources.memory_mib * 1024 * 1024 if config.cgroup == "auto" else 0,
    )


def shared_folder(whole_id: AttemptId, config: ProcessConfig) -> Path:
    """What the parts of one attempt share is in there."""
    return config.shared_dir / whole_id


def volume_variables(spec: LaunchSpec, config: ProcessConfig) -> Mapping[str, str]:
    """Where each volume is: its host path, or of a part a folder that the parts of its node share."""
    variables: dict[str, str] = {}
    for volume in spec.container.settings.volumes:
        path = volume.host.source_path if volume.host else None
        if not path and volume.name and spec.whole_id is not None:
            own = blake2b(volume.name.encode(), digest_size=8).hexdigest()
            path = str(shared_folder(spec.whole_id, config) / str(spec.node) / own)
        if volume.name and path:
            variables[f"LONGSHORE_VOLUME_{re.sub(r'[^A-Za-z0-9]', '_', volume.name).upper()}"] = path
    return variables


def _has_bytes(text: str) -> bool:
    """Whether it can be written in UTF-8: lone surrogates cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
