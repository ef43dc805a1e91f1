"""The machines that a replay runs on, as people write them down."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.scheduling.snapshot import HostView

_UNITS_MIB = {"MiB": 1, "GiB": 1024, "TiB": 1024**2}
_FORM = "COUNTxVCPUS[:MEMORY][:GPUSgpu], as in 1000x64:256GiB or 10x96:1TiB:8gpu"
_HOSTS = re.compile(r"([0-9]{1,6})x([0-9]{1,6})(?::([0-9]{1,9}(?:MiB|GiB|TiB)))?(?::([0-9]{1,4})gpu)?")
_MEMORY = re.compile(r"([0-9]{1,9})(MiB|GiB|TiB)")
_MOST_HOSTS = 100_000


class FleetRefused(Exception):
    """A description of a fleet can't be used; says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGroup:
    """Equal hosts."""

    count: int
    vcpus: int
    #: None: not described, so that nothing is asked of it
    memory_mib: int | None = None
    gpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All hosts."""

    groups: tuple[HostGroup, ...]

    @property
    def has_memory(self) -> bool:
        """Whether memory is described; if not, what jobs ask of it is left out."""
        return self.groups[0].memory_mib is not None

    @property
    def total(self) -> Resources:
        """What all hosts have together."""
        return Resources(
            vcpu_milli=sum(group.count * group.vcpus * 1000 for group in self.groups),
            memory_mib=sum(group.count * (group.memory_mib or 0) for group in self.groups),
            gpus=sum(group.count * group.gpus for group in self.groups),
        )

    def hosts(self) -> Sequence[HostView]:
        """Each host, all idle."""
        views: list[HostView] = []
        for group in self.groups:
            total = Resources(vcpu_milli=group.vcpus * 1000, memory_mib=group.memory_mib or 0, gpus=group.gpus)
            for _ in range(group.count):
                name = f"host-{len(views) + 1}"
                names = tuple(f"{name}-gpu-{number}" for number in range(group.gpus))
                views.append(HostView(id=HostId(name), total=total, free=total, free_gpus=names))
        return views

    def __str__(self) -> str:
        return ", ".join(map(_in_words, self.groups))


def _in_words(group: HostGroup) -> str:
    words = f"{group.count:,} x {group.vcpus:,} vCPU"
    if group.memory_mib is not None:
        words += f" {group.memory_mib:,} MiB"
    return words + (f" {group.gpus:,} GPU" if group.gpus else "")


def parse_hosts(texts: Sequence[str]) -> Fleet:
    """The fleet of these groups of hosts, each as COUNTxVCPUS[:MEMORY][:GPUSgpu].

    Raises:
        FleetRefused: one is malformed, or some have memory and others not.
    """
    return _fleet([_parse_group(text) for text in texts])


def read_fleet(path: Path) -> Fleet:
    """The fleet in a TOML or JSON file: `hosts`, a list of `count`, `vcpus`, `memory` (as in "256GiB") and `gpus`.

    Raises:
        FleetRefused: the file can't be read or is not such a one.
    """
    try:
        text = path.read_text()
        given = msgspec.json.decode(text, type=_File) if path.suffix == ".json" else _from_toml(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.MsgspecError) as problem:
        raise FleetRefused(f"{path}: {problem}") from problem
    return _fleet(
        [
            HostGroup(
                count=group.count,
                vcpus=group.vcpus,
                memory_mib=None if group.memory is None else _parse_memory(group.memory),
                gpus=group.gpus,
            )
            for group in given.hosts
        ]
    )


class _Group(msgspec.Struct, forbid_unknown_fields=True):
    count: int
    vcpus: int
    memory: str | None = None
    gpus: int = 0


class _File(msgspec.Struct, forbid_unknown_fields=True):
    hosts: list[_Group]


def _from_toml(text: str) -> _File:
    document: Mapping[str, Any] = tomllib.loads(text)
    return msgspec.convert(document, type=_File)


def _parse_group(text: str) -> HostGroup:
    match = _HOSTS.fullmatch(text)
    if match is None:
        raise FleetRefused(f"hosts {text[:80]} are not {_FORM}")
    count, vcpus, memory, gpus = match.groups()
    return HostGroup(
        count=int(count),
        vcpus=int(vcpus),
        memory_mib=None if memory is None else _parse_memory(memory),
        gpus=int(gpus or 0),
    )


def _parse_memory(text: str) -> int:
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise FleetRefused(f'memory {text[:40]} is not a whole number of MiB, GiB or TiB, as in "256GiB"')
    return int(match[1]) * _UNITS_MIB[match[2]]


def _fleet(groups: Sequence[HostGroup]) -> Fleet:
    if not groups:
        raise FleetRefused("a fleet needs at least one group of hosts")
    for group in groups:
        if group.count < 1 or group.vcpus < 1 or group.gpus < 0:
            raise FleetRefused(f"{_in_words(group)}: a group has at least 1 host with at least 1 vCPU")
    if len({group.memory_mib is None for group in groups}) > 1:
        raise FleetRefused("either all groups of hosts have memory, or none")
    if sum(group.count for group in groups) > _MOST_HOSTS:
        raise FleetRefused(f"there are more than {_MOST_HOSTS:,} hosts")
    return Fleet(groups=tuple(groups))
