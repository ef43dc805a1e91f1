"""Secrets, roles and network volumes of jobs in containers."""

import json
import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from longshore.ports.engine import RegistryLogin, TaskState
from tests.integration.docker.conftest import IMAGE_SCRIPT, MakeBench
from tests.integration.docker.workbench import IMAGE, Engine, a_job
from tests.integration.live import live_server
from tests.integration.neighbours import Neighbours, settings

pytestmark = [pytest.mark.docker, pytest.mark.anyio, pytest.mark.timeout(120)]

ADDRESS = "169.254.170.2"
ROLE = "arn:aws:iam::123456789012:role/job"
SCRIPT = """
wget -qO /files/lent --header "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI"
printf %s "$PASSWORD" >/files/password
wget -qO /files/nothing http://169.254.170.2:$PORT/longshore/status || echo closed >/files/closed
"""


@pytest.fixture
def credentials_network(engine: Engine) -> Iterator[None]:
    """A network on which this machine has the address that SDKs trust."""
    name = f"longshore-test-{uuid4().hex[:8]}"
    engine.docker("network", "create", "--subnet", "169.254.170.0/24", "--gateway", ADDRESS, name)
    yield
    engine.docker("network", "rm", name)


@pytest.mark.usefixtures("credentials_network")
def test_a_container_is_given_what_it_asks_for(tmp_path: Path, engine: Engine, neighbours: Neighbours) -> None:
    """Its secret, a folder for its file system, and credentials at an address that containers reach, and no more."""
    environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.socket}"}
    subprocess.run(["sh", str(IMAGE_SCRIPT)], env=environment, check=True, capture_output=True, timeout=60)
    neighbours.client("ssm").put_parameter(Name="docker-password", Value="staple-11e8", Type="SecureString")
    files = tmp_path / "files"
    files.mkdir()
    (tmp_path / "server").mkdir()
    given = settings(
        neighbours.url,
        LONGSHORE_DOCKER_SOCKET=str(engine.socket),
        LONGSHORE_DOCKER_CREDENTIALS_ADDRESS=ADDRESS,
        LONGSHORE_VOLUMES_EFS=f"fs-1={files}",
    )
    with live_server(tmp_path / "server", engine="docker", settings=given) as server:
        server.start()
        server.set_up(engine="docker")
        definition = server.register(
            "provided",
            SCRIPT,
            image=IMAGE,
            container={
                "environment": [{"name": "PORT", "value": str(server.port)}],
                "secrets": [{"name": "PASSWORD", "valueFrom": "docker-password"}],
                "volumes": [{"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
                "mountPoints": [{"sourceVolume": "files", "containerPath": "/files"}],
                "jobRoleArn": ROLE,
            },
        )
        job_id = server.submit("job", definition)
        job = server.wait([job_id])[job_id]
        assert job["status"] == "SUCCEEDED", job
        assert (files / "password").read_text() == "staple-11e8"
        lent = json.loads((files / "lent").read_text())
        assert lent["RoleArn"] == ROLE
        assert (files / "closed").exists()
        told = server.native(f"/longshore/jobs/{job_id}/explain")["notHonoured"]
        assert not {"secrets", "jobRoleArn", "volumes"} & {gap["setting"] for gap in told}
        kept = [path for path in (tmp_path / "server").rglob("*") if path.is_file()]
        for secret in (b"staple-11e8", lent["SecretAccessKey"].encode()):
            assert not [path for path in kept if secret in path.read_bytes()]


async def test_a_registry_is_shown_the_login(make_bench: MakeBench) -> None:
    """The engine logs in with it; the image is not there all the same."""
    seen: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            login = self.headers.get("Authorization", "")
            seen.append(login)
            self.send_response(404 if login else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            bench = await make_bench()
            spec = a_job("true")
            login = RegistryLogin(username="user", password="hush")
            container = replace(spec.container, image=f"127.0.0.1:{server.server_port}/image:1", registry=login)
            seen_of = await bench.run(replace(spec, container=container))
        finally:
            server.shutdown()
    assert seen_of.state is TaskState.FAILED_TO_START
    assert seen_of.reason.startswith("CannotPullContainerError")
    assert f"Basic {b64encode(b'user:hush').decode()}" in seen
