"""Services that speak like Secrets Manager, Parameter Store, STS and S3, for servers and jobs of tests."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from tests.integration.live import REGION, eventually, free_port


class Neighbours:
    """The other services, in one process."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with (folder / "moto.log").open("wb") as log:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(lambda: self.client("sts").get_caller_identity(), what="the neighbours answer")

    def client(self, service: str) -> Any:
        """A client of one of them."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def stop(self) -> None:
        """They keep what they have, and answer nobody."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """They answer again."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """They are gone."""
        self._process.kill()
        self._process.wait()


def settings(url: str, **more: str) -> Mapping[str, str]:
    """A server that asks there, in a name of its own."""
    keys = {"AWS_ACCESS_KEY_ID": "server", "AWS_SECRET_ACCESS_KEY": "server"}
    return {"LONGSHORE_AWS_ENDPOINT": url, "LONGSHORE_AWS_PATIENCE_SECONDS": "2", **keys, **more}
