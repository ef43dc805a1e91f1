"""Trainings on a real server, with their data at a server that speaks like S3."""

import io
import os
import pickle
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import LiveServer, eventually, live_server
from tests.integration.neighbours import Neighbours, settings
from tests.integration.trainings import BUCKET, a_request, describe, ended, objects, set_up_trainings, submit

pytestmark = pytest.mark.timeout(120)

#: Fits a small model to what its channel holds, as a script for SageMaker does.
TRAINER = """
import csv, glob, json, os, pickle
from sklearn.linear_model import LogisticRegression

print(os.environ["TRAINING_JOB_ARN"])
rows = []
for path in sorted(glob.glob(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "*.csv"))):
    with open(path, newline="") as file:
        rows += [[float(value) for value in row] for row in csv.reader(file)]
given = json.loads(os.environ["SM_HPS"])
model = LogisticRegression(C=given["c"], max_iter=given["iterations"])
model.fit([row[:-1] for row in rows], [int(row[-1]) for row in rows])
with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.pkl"), "wb") as file:
    pickle.dump(model, file)
with open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "rows"), "w") as file:
    file.write(str(len(rows)))
print("trained on", len(rows), "rows", flush=True)
"""


@pytest.fixture
def live(tmp_path: Path, neighbours: Neighbours) -> Iterator[LiveServer]:
    """A server for trainings, beside the neighbours."""
    given = settings(neighbours.url, LONGSHORE_DOCKER_HOST_PATHS=str(tmp_path / "open"))
    (tmp_path / "open").mkdir()
    with live_server(tmp_path, settings=given) as server:
        server.start()
        set_up_trainings(server)
        yield server


@pytest.fixture
def s3(neighbours: Neighbours) -> Any:
    return neighbours.client("s3")


def channel(uri: str, name: str = "train") -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def left(live: LiveServer) -> list[Path]:
    return list((live.data / "training").glob("*"))


def log(live: LiveServer) -> str:
    """The output of the one job that there was."""
    (stream,) = live.logs.describe_log_streams(logGroupName="/aws/batch/job")["logStreams"]
    where = {"logGroupName": "/aws/batch/job", "logStreamName": stream["logStreamName"]}
    return "".join(f"{event['message']}\n" for event in live.logs.get_log_events(**where)["events"])


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in found.items() if file}


@pytest.mark.covers("SubmitServiceJob.serviceRequestPayload")
def test_a_model_is_trained_from_a_channel(live: LiveServer, s3: Any) -> None:
    """A scikit-learn model, in two objects of a prefix, comes back as an archive that predicts."""
    halves = [[f"{x},{y},{int(x > y)}" for x in range(start, 20, 2) for y in range(20)] for start in (0, 1)]
    for number, rows in enumerate(halves):
        s3.put_object(Bucket=BUCKET, Key=f"sklearn/part-{number}.csv", Body="\n".join(rows))
    request = a_request(
        "sklearn-model",
        [sys.executable, "-c", TRAINER],
        HyperParameters={"c": "10.0", "iterations": "500"},
        InputDataConfig=[channel(f"s3://{BUCKET}/sklearn/")],
    )
    job_id = submit(live, request)
    job = ended(live, job_id)
    assert (job["status"], job.get("statusReason", "")) == ("SUCCEEDED", "")
    stored = objects(s3, "models/sklearn-model/output/")
    assert stored.keys() == {"model.tar.gz", "output.tar.gz"}
    assert members(stored["output.tar.gz"]) == {"rows": b"400"}
    model = pickle.loads(members(stored["model.tar.gz"])["model.pkl"])
    assert model.predict([[15, 3], [3, 15], [9, 1], [1, 9]]).tolist() == [1, 0, 1, 0]
    (attempt,) = job["attempts"]
    arn = attempt["serviceResourceId"]["value"]
    assert ":training-job/sklearn-model" in arn
    assert log(live) == f"{arn}\ntrained on 400 rows\n"
    eventually(lambda: not left(live), what="the folders of the attempt are gone")


def test_local_folders(live: LiveServer, s3: Any, tmp_path: Path) -> None:
    """Data of this machine, and a model that stays on it, need no S3."""
    (tmp_path / "open" / "data").mkdir()
    (tmp_path / "open" / "data" / "table").write_text("42")
    output = {"S3OutputPath": f"file://{tmp_path}/open/models"}
    script = 'cp "$SM_CHANNEL_TRAIN/table" "$SM_MODEL_DIR/weights"'
    data = [channel(f"file://{tmp_path}/open/data")]
    done = ended(live, submit(live, a_request("local", shell(script), InputDataConfig=data, OutputDataConfig=output)))
    assert done["status"] == "SUCCEEDED", done
    archive = tmp_path / "open" / "models" / "local" / "output" / "model.tar.gz"
    assert members(archive.read_bytes()) == {"weights": b"42"}
    closed = a_request("closed", shell(script), InputDataConfig=[channel("file:///etc")], OutputDataConfig=output)
    failed = ended(live, submit(live, closed))
    assert failed["status"] == "FAILED"
    assert "/etc is not under any folder of the setting docker.host_paths" in failed["statusReason"]


def test_failures(live: LiveServer, s3: Any) -> None:
    """Each in SageMaker's words: data that is not there, an algorithm that gave up, a place that takes nothing."""
    for name, request, reason in (
        (
            "no-data",
            a_request("no-data", shell("true"), InputDataConfig=[channel(f"s3://{BUCKET}/nothing/")]),
            f"Received status from SageMaker: ClientError: Data download failed: no S3 objects found under "
            f"s3://{BUCKET}/nothing/ for the channel train",
        ),
        (
            "gave-up",
            a_request("gave-up", shell('echo "did not converge" >"$SM_OUTPUT_DIR/failure"; exit 3')),
            "Received status from SageMaker: AlgorithmError: did not converge, exit code: 3",
        ),
        (
            "no-place",
            a_request("no-place", shell("true"), OutputDataConfig={"S3OutputPath": "s3://no-such-bucket/x"}),
            "Received status from SageMaker: ClientError: Artifact upload failed: NoSuchBucket: "
            "The specified bucket does not exist",
        ),
    ):
        job = ended(live, submit(live, request))
        assert (name, job["status"], job["statusReason"]) == (name, "FAILED", reason)
        assert job["attempts"][0]["statusReason"] == reason
        assert objects(s3, f"models/{name}/") == {}
    eventually(lambda: not left(live), what="the folders of the attempts are gone")


def test_retry_goes_on_from_the_checkpoint(live: LiveServer, s3: Any) -> None:
    """What one attempt has kept, the next one finds."""
    script = (
        'cd "$LONGSHORE_CHECKPOINT_DIR"; if [ -e epoch ]; then cp epoch "$SM_MODEL_DIR"; else echo 7 >epoch; exit 1; fi'
    )
    kept = {"S3Uri": f"s3://{BUCKET}/checkpoints"}
    request = a_request("resumed", shell(script), CheckpointConfig=kept)
    job = ended(live, submit(live, request, retryStrategy={"attempts": 2}))
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2)
    assert members(objects(s3, "models/resumed/")["output/model.tar.gz"]) == {"epoch": b"7\n"}


def test_kills_while_the_model_is_stored(tmp_path: Path) -> None:
    """The server dies while S3 is away: the training goes on being RUNNING, and its model is stored in the end."""
    (tmp_path / "server").mkdir()
    (tmp_path / "moto").mkdir()
    them = Neighbours(tmp_path / "moto")
    them.client("s3").create_bucket(Bucket=BUCKET)
    try:
        with live_server(tmp_path / "server", settings=settings(them.url)) as server:
            server.start()
            set_up_trainings(server)
            go_on = tmp_path / "go-on"
            script = f'while ! [ -e {go_on} ]; do sleep 0.05; done; echo 1 >"$SM_MODEL_DIR/weights"'
            job_id = submit(server, a_request("killed", shell(script)))
            eventually(lambda: describe(server, job_id)["status"] == "RUNNING", what="it runs")
            them.stop()
            go_on.touch()
            packed = eventually(lambda: list(server.data.glob("training/*/packed/model.tar.gz")), what="it is packed")
            for _ in range(3):
                server.kill()
                server.start()
                eventually(lambda: packed[0].exists(), what="the model is still there")
                assert describe(server, job_id)["status"] == "RUNNING"
            them.go_on()
            job = ended(server, job_id)
            assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
            stored = objects(them.client("s3"), "models/killed/output/")
            assert members(stored["model.tar.gz"]) == {"weights": b"1\n"}
            eventually(lambda: not left(server), what="the folders of the attempt are gone")
    finally:
        them.close()


def test_kill_while_data_is_fetched(tmp_path: Path) -> None:
    """The next server fetches it anew, and the training starts once."""
    (tmp_path / "server").mkdir()
    (tmp_path / "moto").mkdir()
    them = Neighbours(tmp_path / "moto")
    them.client("s3").create_bucket(Bucket=BUCKET)
    them.client("s3").put_object(Bucket=BUCKET, Key="data/a", Body=b"1")
    given = {
        "LONGSHORE_AWS_S3_ENDPOINT": them.url,  # nobody lends roles: it is asked in the server's own name
        "LONGSHORE_AWS_PATIENCE_SECONDS": "60",
        "AWS_ACCESS_KEY_ID": "server",
        "AWS_SECRET_ACCESS_KEY": "server",
    }
    try:
        with live_server(tmp_path / "server", settings=given) as server:
            server.start()
            set_up_trainings(server)
            them.stop()
            script = f'echo once >>{tmp_path}/starts; cp "$SM_CHANNEL_TRAIN/a" "$SM_MODEL_DIR"'
            data = [channel(f"s3://{BUCKET}/data/")]
            job_id = submit(server, a_request("fetched", shell(script), InputDataConfig=data))
            eventually(lambda: left(server), what="its folders are there")
            server.kill()
            server.start()
            assert describe(server, job_id)["status"] == "STARTING"
            them.go_on()
            job = ended(server, job_id)
            assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
            stored = objects(them.client("s3"), "models/fetched/output/")
            assert members(stored["model.tar.gz"]) == {"a": b"1"}
            assert (tmp_path / "starts").read_text() == "once\n"
    finally:
        them.close()


def test_others_go_on_while_a_model_is_stored(tmp_path: Path) -> None:
    """An upload that waits keeps nobody else waiting; a terminated training ends."""
    (tmp_path / "server").mkdir()
    (tmp_path / "moto").mkdir()
    them = Neighbours(tmp_path / "moto")
    them.client("s3").create_bucket(Bucket=BUCKET)
    try:
        with live_server(tmp_path / "server", settings=settings(them.url)) as server:
            server.start()
            set_up_trainings(server)
            server.set_up()
            go_on = tmp_path / "go-on"
            script = f"while ! [ -e {go_on} ]; do sleep 0.05; done"
            job_id = submit(server, a_request("waits", shell(script)))
            eventually(lambda: describe(server, job_id)["status"] == "RUNNING", what="it runs")
            them.stop()
            go_on.touch()
            eventually(lambda: list(server.data.glob("training/*/packed/model.tar.gz")), what="it is packed")
            server.register("other", "true")
            before = time.monotonic()
            jobs = server.wait([server.submit("other", "other") for _ in range(3)])
            assert {job["status"] for job in jobs.values()} == {"SUCCEEDED"}
            assert time.monotonic() - before < 20
            assert describe(server, job_id)["status"] == "RUNNING"
            server.batch.terminate_service_job(jobId=job_id, reason="enough")
            job = ended(server, job_id)
            assert (job["status"], job["statusReason"]) == ("FAILED", "enough")
    finally:
        them.close()


def test_what_is_given_away(live: LiveServer, s3: Any) -> None:
    """Credentials of the role are lent, and are neither in the log of the server nor in what is stored."""
    script = """
import json, os, urllib.request
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
request = urllib.request.Request(url, headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]})
with urllib.request.urlopen(request) as answer:
    lent = json.load(answer)
with open(os.path.join(os.environ["SM_MODEL_DIR"], "lent"), "w") as file:
    json.dump(lent, file)
"""
    job = ended(live, submit(live, a_request("lent", [sys.executable, "-c", script])))
    assert job["status"] == "SUCCEEDED", job
    lent = members(objects(s3, "models/lent/")["output/model.tar.gz"])["lent"].decode()
    secret = lent.split('"SecretAccessKey": "')[1].split('"')[0].encode()
    live.stop()
    kept = [path for path in live.folder.rglob("*") if path.is_file() and not os.path.islink(path)]
    assert not [path for path in kept if secret in path.read_bytes()]


#: The main node gathers what channel each node was given; they reach each other by their names.
GATHERER = """
import json, os, socket, time
hosts, own = json.loads(os.environ["SM_HOSTS"]), os.environ["SM_CURRENT_HOST"]
found = sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
def reach_main():
    while True:
        try:
            return socket.create_connection((hosts[0], 7345))
        except ConnectionRefusedError:
            time.sleep(0.05)

if own != hosts[0]:
    with reach_main() as to_main:
        to_main.sendall(json.dumps(found).encode())
else:
    with socket.create_server((own, 7345)) as server:
        with server.accept()[0] as other:
            others = json.loads(other.recv(65536))
    with open(os.path.join(os.environ["SM_MODEL_DIR"], "found"), "w") as file:
        json.dump([found, others], file)
"""


def test_two_instances(live: LiveServer, s3: Any) -> None:
    """They run together, reach each other, and share what is to be shared; the model is the first one's."""
    for number in range(5):
        s3.put_object(Bucket=BUCKET, Key=f"shards/{number}", Body=b"")
    sharded = channel(f"s3://{BUCKET}/shards/")
    sharded["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    resources = {"InstanceType": "ml.t3.medium", "InstanceCount": 2}
    command = [sys.executable, "-c", GATHERER]
    job = ended(live, submit(live, a_request("two", command, InputDataConfig=[sharded], ResourceConfig=resources)))
    assert job["status"] == "SUCCEEDED", job
    model = members(objects(s3, "models/two/output/")["model.tar.gz"])
    assert model == {"found": b'[["0", "2", "4"], ["1", "3"]]'}
    failed = ended(live, submit(live, a_request("two-failed", command, ResourceConfig=resources)))
    assert "exit code: 1" in failed["statusReason"]
    nowhere = {"S3OutputPath": "s3://no-such-bucket/x"}
    request = a_request("two-lost", ["true"], ResourceConfig=resources, OutputDataConfig=nowhere)
    lost = ended(live, submit(live, request))
    assert (lost["status"], "Artifact upload failed: NoSuchBucket" in lost["statusReason"]) == ("FAILED", True)
    eventually(lambda: not left(live), what="the folders of the attempts are gone")
