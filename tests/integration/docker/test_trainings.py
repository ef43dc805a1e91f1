"""Trainings in containers: what they see below /opt/ml, and what becomes of what they leave there."""

import asyncio
import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore.control.inbox import Inbox
from longshore.control.lane import Lane
from longshore.control.ledger import OpenAttempt
from longshore.control.provisions import Provider
from longshore.domain.job import Intent
from longshore.engines.docker.driver import DockerDriver
from longshore.ports.engine import LaunchFailed, Observation, TaskState
from longshore.system_clock import SystemClock
from longshore.testing.simulation.logs import KeptLogs
from tests.integration import trainings
from tests.integration.docker.conftest import MakeBench
from tests.integration.docker.workbench import IMAGE, Engine
from tests.integration.live import eventually, live_server
from tests.integration.neighbours import Neighbours, settings
from tests.unit.control.openings import changed, ended
from tests.unit.control.trainings import KeptObjects, a_channel, a_site, a_training

pytestmark = [pytest.mark.docker, pytest.mark.anyio, pytest.mark.timeout(120)]

SCRIPT = """
set -e
cat /opt/ml/input/config/hyperparameters.json
cd "$SM_CHANNEL_TRAIN"
cat part-* >/opt/ml/model/weights
ls /opt/ml/input/data/shared >/opt/ml/output/data/seen
if touch /opt/ml/input/data/shared/new; then exit 9; fi
hostname >>/opt/ml/output/data/seen
echo epoch-2 >/opt/ml/checkpoints/last
echo diverged >/opt/ml/output/failure
exit "$CODE"
"""


def algorithm(script: str) -> dict[str, Any]:
    return {"TrainingImage": IMAGE, "TrainingInputMode": "File", "ContainerEntrypoint": ["/bin/sh", "-c", script]}


async def run(driver: DockerDriver, entry: OpenAttempt, provider: Provider) -> Observation | LaunchFailed:
    """How the training ended, as it is told; nothing of it is left then."""
    inbox = Inbox()
    lane = Lane(
        "docker",
        driver,
        logs=KeptLogs(),
        inbox=inbox,
        clock=SystemClock(),
        open_attempts=lambda: [changed(entry, intent=Intent.NONE)],
        stop_grace_seconds=5,
        provider=provider,
    )
    running = asyncio.create_task(lane.run())
    lane.act([entry])
    try:
        async with asyncio.timeout(60):
            while True:
                await inbox.wait(1)
                for news in inbox.take(100):
                    if isinstance(news, LaunchFailed) or (
                        isinstance(news, Observation) and news.state is TaskState.EXITED
                    ):
                        lane.act([ended(entry)])
                        await lane.serve_once()
                        return news
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def members(content: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read().decode() for name, file in found.items() if file}


async def test_training_in_a_container(make_bench: MakeBench, tmp_path: Path) -> None:
    """It finds its channels, parameters and checkpoints, and what it leaves is stored as its end has it."""
    bench = await make_bench()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "table").write_text("t")
    objects = KeptObjects({"data/part-1": b"1", "data/part-2": b"2", "kept/first": b""})
    site = a_site(tmp_path, objects, file_systems={"fs-1": tmp_path / "shared"})
    provider = Provider(clock=SystemClock(), trainings=site)
    system = {"FileSystemId": "fs-1", "FileSystemType": "EFS", "FileSystemAccessMode": "ro", "DirectoryPath": "/"}
    channels = [a_channel("s3://data/"), {"ChannelName": "shared", "DataSource": {"FileSystemDataSource": system}}]
    for key, code in ((1, 0), (2, 3)):
        entry = a_training(
            key,
            AlgorithmSpecification=algorithm(SCRIPT),
            HyperParameters={"depth": "3"},
            Environment={"CODE": str(code)},
            InputDataConfig=channels,
            CheckpointConfig={"S3Uri": "s3://kept"},
            OutputDataConfig={"S3OutputPath": f"s3://models/{code}"},
        )
        entry = replace(entry, environment=replace(entry.environment, engine="docker"))
        told = await run(DockerDriver(bench.config), entry, provider)
        assert isinstance(told, Observation)
        assert (told.exit_code, told.reason) == (code, "diverged" if code else "")
        stored = {name: content for name, content in objects.objects.items() if name.startswith(f"models/{code}/")}
        output = members(stored.pop(f"models/{code}/a-training/output/output.tar.gz"))
        assert output == {"seen": "table\nalgo-1\n"}
        model = {} if code else {"weights": "12"}
        assert [members(content) for content in stored.values()] == ([model] if model else [])
        assert objects.objects["kept/last"] == b"epoch-2\n"
        assert not site.folders(entry.attempt.attempt_id).root.exists()
    assert (tmp_path / "shared" / "table").read_text() == "t"


async def test_image_keeps_what_it_has_below_the_root(make_bench: MakeBench, tmp_path: Path) -> None:
    """Folders are mounted one by one; those of the image beside them stay. Reasons may be long."""
    bench = await make_bench()
    script = "mkdir /opt/ml/code && ls /opt/ml >/opt/ml/output/failure; seq 400 >>/opt/ml/output/failure; exit 1"
    entry = a_training(AlgorithmSpecification=algorithm(script))
    entry = replace(entry, environment=replace(entry.environment, engine="docker"))
    site = a_site(tmp_path, KeptObjects())
    told = await run(DockerDriver(bench.config), entry, Provider(clock=SystemClock(), trainings=site))
    assert isinstance(told, Observation)
    assert told.reason.split()[:5] == ["code", "input", "model", "output", "1"]
    assert len(told.reason) == 1024


def test_service_job_in_a_container(tmp_path: Path, engine: Engine, neighbours: Neighbours) -> None:
    """A real server gives it its data and stores its model, whether it ends by itself or is stopped."""
    s3 = neighbours.client("s3")
    s3.put_object(Bucket=trainings.BUCKET, Key="docker/a", Body=b"1")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{trainings.BUCKET}/docker/"}}
    data = {"InputDataConfig": [{"ChannelName": "train", "DataSource": source}]}
    given = settings(neighbours.url, LONGSHORE_DOCKER_SOCKET=str(engine.socket))
    with live_server(tmp_path, engine="docker", settings=given) as server:
        try:
            server.start()
            trainings.set_up_trainings(server, engine="docker")
            copies = "cp /opt/ml/input/data/train/a /opt/ml/model/weights"
            waits = f"trap 'echo half >/opt/ml/model/weights; exit 9' TERM; {copies}; while :; do sleep 0.1; done"
            ids = [
                trainings.submit(server, trainings.a_request(name, ["/bin/sh", "-c", script], image=IMAGE, **data))
                for name, script in (("in-docker", copies), ("in-docker-stopped", waits))
            ]
            assert trainings.ended(server, ids[0])["status"] == "SUCCEEDED"
            eventually(lambda: trainings.describe(server, ids[1])["status"] == "RUNNING", what="it runs")
            eventually(lambda: list(server.data.glob("training/*/model/weights")), what="it has begun")
            server.batch.terminate_service_job(jobId=ids[1], reason="enough")
            job = trainings.ended(server, ids[1])
            assert (job["status"], job["statusReason"]) == ("FAILED", "enough")
        finally:
            engine.remove_all(server.installation_id)
    for name, weights in (("in-docker", "1"), ("in-docker-stopped", "half\n")):
        stored = trainings.objects(s3, f"models/{name}/output/")
        assert members(stored["model.tar.gz"]) == {"weights": weights}


def test_instances_in_containers(tmp_path: Path, engine: Engine, neighbours: Neighbours) -> None:
    """They reach each other by their names; the first one's model is stored, and the failure of any fails all."""
    s3 = neighbours.client("s3")
    given = settings(neighbours.url, LONGSHORE_DOCKER_SOCKET=str(engine.socket))
    resources = {"ResourceConfig": {"InstanceType": "ml.t3.medium", "InstanceCount": 2, "VolumeSizeInGB": 1}}
    meets = """
    if [ "$SM_CURRENT_HOST" = algo-1 ]; then nc -l -p 7345 >/opt/ml/model/met; exit; fi
    until echo "$SM_HOSTS $SM_CURRENT_HOST $(hostname)" | nc algo-1 7345; do sleep 0.2; done
    """
    fails = 'if [ "$SM_CURRENT_HOST" = algo-2 ]; then exit 7; fi; trap "exit 9" TERM; while :; do sleep 0.1; done'
    with live_server(tmp_path, engine="docker", settings=given) as server:
        try:
            server.start()
            trainings.set_up_trainings(server, engine="docker")
            ids = [
                trainings.submit(server, trainings.a_request(name, ["/bin/sh", "-c", script], image=IMAGE, **resources))
                for name, script in (("meets", meets), ("fails", fails))
            ]
            met, failed = (trainings.ended(server, each) for each in ids)
        finally:
            engine.remove_all(server.installation_id)
    assert met["status"] == "SUCCEEDED", met
    stored = members(trainings.objects(s3, "models/meets/output/")["model.tar.gz"])
    assert stored == {"met": '["algo-1","algo-2"] algo-2 algo-2\n'}
    assert (failed["status"], "exit code: 7" in failed["statusReason"]) == ("FAILED", True), failed
