"""Fleets as people write them down."""

from pathlib import Path

import pytest

from longshore.domain.resources import Resources
from longshore.simulator.fleet import FleetRefused, HostGroup, parse_hosts, read_fleet


def test_groups_of_hosts() -> None:
    fleet = parse_hosts(["2x64:256GiB", "1x96:1TiB:8gpu"])
    assert fleet.groups == (
        HostGroup(count=2, vcpus=64, memory_mib=262_144),
        HostGroup(count=1, vcpus=96, memory_mib=1_048_576, gpus=8),
    )
    assert fleet.total == Resources(vcpu_milli=224_000, memory_mib=1_572_864, gpus=8)
    hosts = fleet.hosts()
    assert [host.id for host in hosts] == ["host-1", "host-2", "host-3"]
    assert hosts[2].free_gpus == tuple(f"host-3-gpu-{number}" for number in range(8))
    assert all(host.is_idle for host in hosts)
    assert str(fleet) == "2 x 64 vCPU 262,144 MiB, 1 x 96 vCPU 1,048,576 MiB 8 GPU"
    assert not parse_hosts(["3x4"]).has_memory


@pytest.mark.parametrize(
    "text", ["64", "0x4", "2x0", "2x4:5", "2x4:5GB", "2x4:gpu", "ax4", "2x4:1GiB:2gpus", "-1x4", ""]
)
def test_what_is_no_group_is_refused(text: str) -> None:
    with pytest.raises(FleetRefused, match="COUNTxVCPUS|at least 1 host"):
        parse_hosts([text])


def test_memory_of_some_and_too_many_hosts_are_refused() -> None:
    with pytest.raises(FleetRefused, match="either all groups of hosts have memory, or none"):
        parse_hosts(["1x4", "1x4:1GiB"])
    with pytest.raises(FleetRefused, match="more than 100,000 hosts"):
        parse_hosts(["60000x4", "60000x8"])


def test_files(tmp_path: Path) -> None:
    """TOML and JSON say the same; a member that nothing is known of is refused."""
    toml, json = tmp_path / "fleet.toml", tmp_path / "fleet.json"
    toml.write_text(
        '[[hosts]]\ncount = 2\nvcpus = 64\nmemory = "256GiB"\n\n[[hosts]]\ncount = 1\nvcpus = 8\nmemory = "1GiB"\n'
    )
    json.write_text(
        '{"hosts": [{"count": 2, "vcpus": 64, "memory": "256GiB"}, {"count": 1, "vcpus": 8, "memory": "1GiB"}]}'
    )
    assert read_fleet(toml) == read_fleet(json) == parse_hosts(["2x64:256GiB", "1x8:1GiB"])
    for path, text in (
        (toml, "[[hosts]]\ncount = 2\ncores = 3\n"),
        (json, '{"hosts": [{"count": "2"}]}'),
        (toml, "hosts = ["),
        (json, '{"hosts": []}'),
        (toml, '[[hosts]]\ncount = 2\nvcpus = 3\nmemory = "much"\n'),
    ):
        path.write_text(text)
        with pytest.raises(FleetRefused):
            read_fleet(path)
    with pytest.raises(FleetRefused, match="absent"):
        read_fleet(tmp_path / "absent.toml")
