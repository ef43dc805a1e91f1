"""Settings: where they come from, what they may be, and the one line that says what is wrong."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.config import SETTINGS, Settings, SettingsError, load_settings
from longshore.config.settings import measure_gpus, measure_memory_mib
from longshore.domain.prices import Price

#: A setting, a right value as TOML and as text, and what it becomes.
EFS = {"fs-12ab": Path("/srv/a"), "fsap-1": Path("/b")}
RIGHT_VALUES: list[tuple[str, str, str, object]] = [
    ("aws.endpoint", '"https://here:5000"', "https://here:5000", "https://here:5000"),
    ("aws.endpoint", '"aws"', "aws", "aws"),
    ("aws.endpoint", '"none"', "none", None),
    ("aws.secrets_endpoint", '"http://[::1]:1/x"', "http://[::1]:1/x", "http://[::1]:1/x"),
    ("aws.ssm_endpoint", '"same"', "same", None),
    ("aws.sts_endpoint", '"aws"', "aws", "aws"),
    ("aws.s3_endpoint", '"aws"', "aws", "aws"),
    ("aws.patience_seconds", "0", "0", 0),
    ("local.scratch_mib", "0", "0", 0),
    ("local.scratch_mib", '"auto"', "auto", None),
    ("docker.credentials_address", '"169.254.170.2"', "169.254.170.2", "169.254.170.2"),
    ("docker.credentials_address", '"none"', "none", None),
    ("volumes.efs", '{ fs-12ab = "/srv/a", "fsap-1" = "/b" }', "fs-12ab=/srv/a, fsap-1=/b", EFS),
    ("volumes.efs", "{}", "", {}),
    (
        "prices.environments",
        "{ default = { vcpu = 0.04, gib = 1 }, cheap = { gpu = 2.5, spot = 0.3 } }",
        '{"default": {"vcpu": 0.04, "gib": 1}, "cheap": {"gpu": 2.5, "spot": 0.3}}',
        {"default": Price(vcpu=0.04, gib=1.0), "cheap": Price(gpu=2.5, spot=0.3)},
    ),
    ("prices.environments", "{}", "", {}),
    ("prices.currency", '"EUR"', "EUR", "EUR"),
    ("server.host", '"::1"', "::1", "::1"),
    ("server.host", '"localhost"', "localhost", "localhost"),
    ("server.port", "0", "0", 0),
    ("server.unix_socket", '"/run/l.sock"', "/run/l.sock", Path("/run/l.sock")),
    (
        "server.host_names",
        '["Batch.Example.org", "gateway"]',
        "batch.example.org,gateway",
        ("batch.example.org", "gateway"),
    ),
    ("server.unix_socket", '"none"', "none", None),
    ("server.data", '"/srv/x/../data"', "/srv/x/../data", Path("/srv/data")),
    ("server.auth", '"sigv4"', "sigv4", "sigv4"),
    ("server.account_id", '"123456789012"', "123456789012", "123456789012"),
    ("server.region", '"us-gov-west-1"', "us-gov-west-1", "us-gov-west-1"),
    ("server.engine", '"process"', "process", "process"),
    ("server.log_format", '"json"', "json", "json"),
    ("server.log_level", '"DEBUG"', "DEBUG", "DEBUG"),
    ("local.vcpus", "8", "8", 8),
    ("local.memory_mib", "2048", "2048", 2048),
    ("local.gpus", '["0", "GPU-a1"]', "0, GPU-a1", ("0", "GPU-a1")),
    ("local.gpus", "[]", "", ()),
    ("oversize", '"wait"', "wait", "wait"),
    ("process.user", '"root"', "root", "root"),
    ("process.grace_seconds", "0", "0", 0),
    ("process.cgroup", '"off"', "off", "off"),
    ("docker.socket", '"/run/podman.sock"', "/run/podman.sock", Path("/run/podman.sock")),
    ("docker.privileged", '"allow"', "allow", "allow"),
    ("docker.host_paths", '["/data", "/ref"]', "/data,/ref", (Path("/data"), Path("/ref"))),
    ("docker.network", '"host"', "host", "host"),
    ("limits.array_size_max", "100000", "100000", 100_000),
    ("limits.environments_max", "1", "1", 1),
    ("limits.queues_max", "100000", "100000", 100_000),
    ("limits.lost_host_retries", "0", "0", 0),
    ("limits.age_bound_seconds", "60", "60", 60),
    ("limits.body_bytes", "65536", "65536", 65_536),
    ("retention.history_days", "30", "30", 30),
    ("retention.history_days", '"keep"', "keep", None),
    ("retention.log_days", "30", "30", 30),
    ("logs.stream_cap_mib", "1", "1", 1),
    ("logs.pack_below_bytes", "0", "0", 0),
]


def load(
    folder: Path, toml: str = "", environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    (folder / "longshore.toml").write_text(toml)
    return load_settings(flags, environ=environ or {}, folder=folder)


def value_of(settings: Settings, name: str) -> object:
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_defaults_are_what_the_machine_has_and_what_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing given: this machine whole, loopback only, history kept, privileged jobs refused."""
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    settings = load_settings(environ={}, folder=tmp_path)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8642)
    assert settings.server.account_id == "000000000000"
    assert settings.server.data == Path("/somewhere/longshore")
    assert settings.server.unix_socket is None
    assert settings.local.vcpus == len(os.sched_getaffinity(0))
    assert settings.local.memory_mib == measure_memory_mib()
    assert settings.oversize == "run-alone"
    assert settings.docker.privileged == "refuse"
    assert settings.docker.host_paths == ()
    assert settings.retention.history_days is None
    assert settings.limits.array_size_max == 10_000


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(tmp_path: Path) -> None:
    toml = "[server]\nport = 1001\n"
    variable = {"LONGSHORE_SERVER_PORT": "1002"}
    assert load(tmp_path).server.port == 8642
    assert load(tmp_path, toml).server.port == 1001
    assert load(tmp_path, toml, variable).server.port == 1002
    assert load(tmp_path, toml, variable, {"server.port": 1003}).server.port == 1003
    assert load(tmp_path, toml, variable, {"server.port": None}).server.port == 1002


@pytest.mark.parametrize(("name", "toml", "text", "value"), RIGHT_VALUES)
def test_every_setting_is_read_alike_from_all_sources(
    tmp_path: Path, name: str, toml: str, text: str, value: object
) -> None:
    section, _, key = name.rpartition(".")
    table = f"[{section}]\n" if section else ""
    assert value_of(load(tmp_path, f"{table}{key} = {toml}\n"), name) == value
    assert value_of(load(tmp_path, environ={SETTINGS[name].variable: text}), name) == value
    assert value_of(load(tmp_path, flags={name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("server.host", "example.org"),
        ("server.port", "65536"),
        ("server.port", "-1"),
        ("server.port", "8e3"),
        ("server.port", "٣"),
        ("server.port", ""),
        ("server.data", ""),
        ("server.data", "a\0b"),
        ("server.data", "~no-such-user-here/x"),
        ("server.auth", "none"),
        ("server.account_id", "12345678901"),
        ("server.account_id", "123456789012\n"),
        ("server.region", "nowhere"),
        ("server.engine", "podman"),
        ("server.host_names", "gateway:8642"),
        ("server.host_names", "gateway,GATEWAY"),
        ("server.host_names", "*"),
        ("local.vcpus", "0"),
        ("local.vcpus", "1.5"),
        ("local.vcpus", "9" * 5000),
        ("local.gpus", "0,0"),
        ("local.gpus", "0,,1"),
        ("oversize", "Wait"),
        ("process.user", "no-such-user-here"),
        ("process.grace_seconds", "86401"),
        ("docker.privileged", "yes"),
        ("docker.host_paths", "/a,/a/"),
        ("docker.credentials_address", "10.0.0.1"),
        ("aws.endpoint", "localhost:5000"),
        ("aws.endpoint", "http://user:word@here"),
        ("aws.sts_endpoint", "none"),
        ("aws.patience_seconds", "-1"),
        ("prices.environments", "cheap"),
        ("prices.environments", '{"cheap": 0.04}'),
        ("prices.environments", '{"cheap": {}}'),
        ("prices.environments", '{"cheap": {"vcpus": 0.04}}'),
        ("prices.environments", '{"cheap": {"vcpu": -1}}'),
        ("prices.environments", '{"cheap": {"vcpu": true}}'),
        ("prices.currency", "euro"),
        ("volumes.efs", "fs-12ab"),
        ("volumes.efs", "disk-1=/srv"),
        ("volumes.efs", "fs-12ab="),
        ("limits.array_size_max", "1"),
        ("limits.age_bound_seconds", "59"),
        ("limits.body_bytes", "1"),
        ("retention.history_days", "0"),
        ("logs.stream_cap_mib", "0"),
    ],
)
def test_a_wrong_value_is_told_in_one_line_with_its_source_and_what_is_right(
    tmp_path: Path, name: str, text: str
) -> None:
    declared = SETTINGS[name]
    for source, flags, environ in (
        (declared.flag, {name: text}, {}),
        (declared.variable, None, {declared.variable: text}),
    ):
        with pytest.raises(SettingsError) as caught:
            load(tmp_path, environ=environ, flags=flags)
        message = caught.value.message
        assert message.startswith(f"{source}: ")
        assert repr(text)[:40] in message
        assert message.endswith(f" is not {declared.kind.expects}")
        assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[server]\nport = true\n", "server.port: True is not a whole number from 0 to 65535"),
        ("[server]\nport = 8642.0\n", "server.port: 8642.0 is not"),
        ("[server]\naccount_id = 123456789012\n", "server.account_id: 123456789012 is not an account number of 12"),
        ("[local]\ngpus = [0]\n", "local.gpus: [0] is not a list of GPU names"),
        ('[docker]\nhost_paths = {a = "/b"}\n', "docker.host_paths: {'a': '/b'} is not a list of folders"),
        ("[local]\nvcpu = 2\n", "there is no setting local.vcpu; did you mean local.vcpus?"),
        ("[locals]\n", "there is no setting locals"),
        ("server = 3\n", "there is no setting server"),
        ("port = 3\n", "there is no setting port"),
        ('["a\\nb"]\nc = 1\n', "there is no setting a?b"),
        ("[server\n", "is not TOML: Expected ']'"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_the_file_and_the_key(tmp_path: Path, toml: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, toml)
    assert caught.value.message.startswith(f"{tmp_path / 'longshore.toml'}: {told}")
    assert len(caught.value.message.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"])
def test_an_address_that_others_can_reach_wants_verified_requests(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match=f"^server.host: {host} is not a loopback address; .* --auth sigv4"):
        load(tmp_path, flags={"server.host": host})
    settings = load(tmp_path, f'[server]\nhost = "{host}"\n', environ={"LONGSHORE_SERVER_AUTH": "sigv4"})
    assert (settings.server.host, settings.server.is_loopback) == (host, False)


@pytest.mark.parametrize("host", ["127.0.0.1:80", "", "example.org"])
def test_what_is_no_address_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match=r"^--host: '.*' is not an address of this machine"):
        load(tmp_path, flags={"server.host": host, "server.auth": "sigv4"})


def test_a_value_that_another_overrides_is_checked_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LONGSHORE_SERVER_PORT"):
        load(tmp_path, environ={"LONGSHORE_SERVER_PORT": "x"}, flags={"server.port": "1"})


def test_an_unknown_variable_of_ours_is_refused_and_others_are_let_be(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, environ={"LONGSHORE_LOCAL_VCPU": "2"})
    assert caught.value.message == (
        "LONGSHORE_LOCAL_VCPU: there is no such setting; did you mean LONGSHORE_LOCAL_VCPUS?"
    )
    environ = {"LONGSHORE_URL": "x", "LONGSHORE_ATTEMPT_ID": "a", "LONGSHORE_TEST_X": "1", "PORT": "x"}
    assert load(tmp_path, environ=environ) == load(tmp_path)


def test_an_unknown_flag_name_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        load(tmp_path, flags={"server.prot": "1"})


def test_the_file_may_be_named_and_then_must_be_there(tmp_path: Path) -> None:
    named = tmp_path / "conf" / "mine.toml"
    named.parent.mkdir()
    named.write_text('[server]\nport = 7\ndata = "data"\n')
    load(tmp_path, "[server]\nport = 1\n")
    by_flag = load_settings(environ={}, config_file=named, folder=tmp_path)
    by_variable = load_settings(environ={"LONGSHORE_CONFIG": "conf/mine.toml"}, folder=tmp_path)
    assert by_flag == by_variable
    assert by_flag.server.port == 7
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file"):
        load_settings(environ={}, config_file=tmp_path / "none.toml", folder=tmp_path)


def test_relative_paths_start_where_they_were_written(tmp_path: Path) -> None:
    """In the file: its own folder. In a flag or variable: the working folder."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.toml").write_text('[server]\ndata = "d"\n')
    by_file = load_settings(environ={}, config_file=tmp_path / "conf" / "a.toml", folder=tmp_path)
    assert by_file.server.data == tmp_path / "conf" / "d"
    assert load(tmp_path, environ={"LONGSHORE_SERVER_DATA": "d"}).server.data == tmp_path / "d"
    assert load(tmp_path, flags={"server.data": "~/d"}).server.data == Path.home() / "d"


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"longshore\.toml: is not TOML: "):
        load_settings(environ={}, folder=tmp_path)


def test_the_table_of_right_values_leaves_no_setting_out() -> None:
    assert {name for name, *_ in RIGHT_VALUES} == set(SETTINGS)


def test_no_two_settings_share_a_variable_or_a_flag_and_each_is_described() -> None:
    assert len({declared.variable for declared in SETTINGS.values()}) == len(SETTINGS)
    assert len({declared.flag for declared in SETTINGS.values()}) == len(SETTINGS)
    assert all(declared.doc.endswith(".") for declared in SETTINGS.values())


@given(name=st.sampled_from(sorted(SETTINGS)), text=st.text(max_size=20))
def test_any_text_is_either_a_value_or_told_in_one_line(name: str, text: str) -> None:
    """No text makes anything but a value or a SettingsError of one line."""
    try:
        load_settings(environ={SETTINGS[name].variable: text}, folder=Path("/nonexistent"))
    except SettingsError as problem:
        assert len(problem.message.splitlines()) == 1


def test_memory_is_read_in_mib(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemFree:  5 kB\nMemTotal:       24690000 kB\n")
    assert measure_memory_mib(meminfo) == 24_111
    meminfo.write_text("MemFree:  5 kB\n")
    with pytest.raises(SettingsError, match=r"local\.memory_mib"):
        measure_memory_mib(meminfo)


def test_gpus_are_the_numbered_devices_in_order(tmp_path: Path) -> None:
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert measure_gpus(tmp_path) == ("2", "10")
