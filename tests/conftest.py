"""What all tests share: the real parts that some of them need, and the limits under which Hypothesis works.

A test that needs a real part carries its mark (`@pytest.mark.docker`). Where the part is absent the test is skipped
with the reason, unless LONGSHORE_REQUIRE_PARTS (names separated by commas) lists the part: then it fails with it.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.util import get_temp_dir
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling, Scheduling

from tests.leftovers import processes_naming

RequirePart = Callable[[str], None]
ROOT = Path(__file__).parents[1]
#: Files whose tests measure what a server takes.
UNDISTURBED = ("bad_days/test_idle_server.py", "bad_days/test_loud_job.py")
WITH_OWN_ENGINE = ("bad_days/test_docker_jobs.py", "docker/test_outages.py")

settings.register_profile("longshore", deadline=None, print_blob=True)
settings.load_profile("longshore")


def _missing_docker() -> str | None:
    path = os.environ.get("LONGSHORE_DOCKER_SOCKET", "/var/run/docker.sock")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(path)
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            answer = connection.recv(64)
        except OSError as problem:
            return f"no Docker engine answers at {path}: {problem}"
    return None if b" 200 " in answer else f"what answers at {path} is no Docker engine"


def _missing_program(*names: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        if any(shutil.which(name) for name in names):
            return None
        return f"{' or '.join(names)} not found on PATH"

    return missing


def _missing_javascript() -> str | None:
    if not shutil.which("node"):
        return "node not found on PATH"
    folder = Path(__file__).with_name("integration") / "javascript" / "node_modules"
    return None if folder.exists() else "the SDK is not installed; tests/parts/javascript.sh does it"


def _find_aws(major: int) -> Path | None:
    """The AWS CLI of that major version: the locked environment's, else the first on PATH."""
    folders = [str(Path(sys.executable).parent), *os.get_exec_path()]
    for program in (Path(folder) / "aws" for folder in folders):
        if not os.access(program, os.X_OK):
            continue
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30)
        if told.stdout.startswith(f"aws-cli/{major}."):
            return program
    return None


#: For each real part: why it cannot be used here, or None when it can.
PARTS: Mapping[str, Callable[[], str | None]] = {
    "awscli": lambda: None if _find_aws(1) else "no version 1 of the AWS CLI found",
    "awscli2": lambda: None if _find_aws(2) else "no version 2 of the AWS CLI found",
    "browser": _missing_program("chromium", "chromium-browser", "google-chrome"),
    "docker": _missing_docker,
    "javascript": _missing_javascript,
    "openmpi": _missing_program("mpirun.openmpi"),
    "postgres": _missing_program("pg_ctl", "pg_ctlcluster"),
    "slurm": _missing_program("sbatch"),
}


def required_parts(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The parts that must be here. Raises UsageError for a name that is no part."""
    names = frozenset(name.strip() for name in environ.get("LONGSHORE_REQUIRE_PARTS", "").split(",") if name.strip())
    if unknown := names - PARTS.keys():
        raise pytest.UsageError(
            f"LONGSHORE_REQUIRE_PARTS: {', '.join(sorted(unknown))}: no such part; there are {', '.join(PARTS)}"
        )
    return names


def pytest_configure(config: pytest.Config) -> None:
    required_parts()


def _place(nodeid: str) -> tuple[int, str]:
    """When a test is run, and with which others one after the other.

    Fast ones come first, each for itself. Then come the files that work with real processes and engines, those with an
    engine of their own together; and at last what measures a server that must not be disturbed.
    """
    file = nodeid.partition("::")[0]
    if "/integration/" not in file:
        return 0, nodeid
    if file.endswith(UNDISTURBED):
        return 2, "undisturbed"
    return 1, "own engine" if file.endswith(WITH_OWN_ENGINE) else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.nodeid)[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    class ByPlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _place(nodeid)[1]

    return ByPlace(config, log)


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests start ends with them, and what they make outside their own folders is gone."""
    base = tmp_path_factory.getbasetemp()
    get_temp_dir()  # of this process, which removes it when it ends
    shared = Path(tempfile.mkdtemp(prefix="lst"))  # short: sockets are made in there
    shared.chmod(0o1777)  # jobs of other users have folders in there
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(shared))
        patch.setattr(tempfile, "tempdir", str(shared))
        yield
    deadline = time.monotonic() + 20
    while processes := processes_naming(str(base), str(shared)):
        # The fork server of this process and what comes with it end with this process.
        processes = {pid: line for pid, line in processes.items() if " from multiprocessing." not in line}
        if not processes or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    files = [path.name for path in shared.iterdir()]
    shutil.rmtree(shared, ignore_errors=True)
    assert not processes, "still alive after all tests"
    assert not files, "still there after all tests"


@pytest.fixture(autouse=True)
def _same_folder() -> Iterator[None]:
    """The runner changes its folder, also where it is a part of this process; other tests name files of the tree."""
    yield
    os.chdir(ROOT)


@pytest.fixture(scope="session")
def require_part() -> RequirePart:
    """`require_part("docker")` goes on where the part is, else skips the test, or fails it if the part is required."""
    answers: dict[str, str | None] = {}

    def require(name: str) -> None:
        if name not in answers:
            answers[name] = PARTS[name]()
        reason = answers[name]
        if reason is None:
            return
        if name in required_parts():
            pytest.fail(f"{name} is required here: {reason}", pytrace=False)
        pytest.skip(f"{name}: {reason}")

    return require


@pytest.fixture(autouse=True)
def _real_parts(request: pytest.FixtureRequest, require_part: RequirePart) -> None:
    """Every test with the mark of a part needs that part."""
    for name in PARTS:
        if request.node.get_closest_marker(name):
            require_part(name)


@pytest.fixture(scope="session")
def aws_v1(require_part: RequirePart) -> Path:
    """The AWS CLI, version 1."""
    require_part("awscli")
    return cast(Path, _find_aws(1))


@pytest.fixture(scope="session")
def aws_v2(require_part: RequirePart) -> Path:
    """The AWS CLI, version 2."""
    require_part("awscli2")
    return cast(Path, _find_aws(2))


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"
