"""Every operation arrives whole and is answered whole, through the real client."""

import json
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from longshore.api.aws.batch.wire.operations import OPERATIONS as BATCH
from longshore.api.aws.batch.wire.responses import SubmitJobResponse
from longshore.api.aws.logs.wire.operations import OPERATIONS as LOGS
from longshore.domain.errors import InvalidRequest, NotFound, StoreUnavailable

MODELS = {name: ServiceModel(Loader().load_service_model(name, "service-2"), name) for name in ("batch", "logs")}
TABLES = {"batch": BATCH, "logs": LOGS}
CASES = [(service, name) for service, table in TABLES.items() for name in table]


def example(shape: Shape) -> Any:
    """A value of a shape with every member of every structure, inside the model's limits."""
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            return {name: example(member) for name, member in shape.members.items()}
        case "list":
            return [example(shape.member)] * max(1, limits.get("min", 1))
        case "map":
            key, value = example(shape.key), example(shape.value)
            return {key * (1 + index): value for index in range(max(1, limits.get("min", 1)))}
        case "string":
            return limits["enum"][0] if "enum" in limits else "1" * max(1, limits.get("min", 1))
        case "integer" | "long":
            return max(1, limits.get("min", 1))
        case "float" | "double":
            return 1.5
        case "boolean":
            return False
        case other:
            raise AssertionError(f"no example for {other}")


def python_method(client: Any, operation: str) -> Any:
    names = {wire: python for python, wire in client.meta.method_to_api_mapping.items()}
    return getattr(client, names[operation])


def test_all_48_operations_of_batch_are_in_the_table() -> None:
    assert len(BATCH) == 48
    assert set(BATCH) == set(MODELS["batch"].operation_names)


@pytest.mark.parametrize(("service", "operation"), CASES)
def test_an_operation_arrives_and_is_answered_whole(door: Any, service: str, operation: str) -> None:
    model = MODELS[service].operation_model(operation)
    sent = example(model.input_shape) if model.input_shape else {}
    declared = TABLES[service][operation].output
    answered = example(model.output_shape) if model.output_shape else {}
    if declared is not None:
        door.desk.answers[operation] = msgspec.json.decode(json.dumps(answered), type=declared)

    response = python_method(door.client(service), operation)(**sent)

    [(name, caller, request)] = door.desk.seen
    assert name == operation
    assert (caller.account_id, caller.region) == ("111122223333", "eu-west-3")
    assert json.loads(msgspec.json.encode(request)) == sent
    metadata = response.pop("ResponseMetadata")
    assert response == answered
    assert metadata["RequestId"] == caller.request_id
    assert metadata["HTTPStatusCode"] == 200


ARN = "arn:aws:batch:eu-west-3:111122223333:job-definition/sleep30:1"


def test_arns_in_paths_are_one_segment(door: Any, signed: bytes) -> None:
    client = door.client("batch")
    client.list_tags_for_resource(resourceArn=ARN)
    client.tag_resource(resourceArn=ARN, tags={"a": "b c/d+e", "é": "ü"})
    client.untag_resource(resourceArn=ARN, tagKeys=["a", "b c", "d+e&f=g", "é/%2F"])
    door.exchange(b"GET /v1/tags/" + ARN.encode() + b" HTTP/1.1\r\nConnection: close\r\n" + signed + b"\r\n")

    listing, tagging, untagging, decoded = (request for _, _, request in door.desk.seen)
    assert listing.resource_arn == tagging.resource_arn == untagging.resource_arn == decoded.resource_arn == ARN
    assert tagging.tags == {"a": "b c/d+e", "é": "ü"}
    assert untagging.tag_keys == ["a", "b c", "d+e&f=g", "é/%2F"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NotFound("JobQueue q not found."), "JobQueue q not found."),
        (InvalidRequest("no", wrapped=True), "Error executing request, Exception : no, RequestId: {id}"),
    ],
)
def test_errors_are_the_modelled_exceptions(door: Any, error: Exception, message: str) -> None:
    door.desk.answers["ListJobs"] = error
    client = door.client("batch")
    with pytest.raises(client.exceptions.ClientException) as caught:
        client.list_jobs(jobQueue="q")
    response = caught.value.response
    assert response["Error"] == {"Code": "ClientException", "Message": message.format(id=_request_id(response))}
    assert response["message"] == response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == "ClientException"


@pytest.mark.parametrize("error", [StoreUnavailable("the disk is full"), ZeroDivisionError()])
def test_our_failures_are_server_exceptions(door: Any, error: Exception) -> None:
    door.desk.answers["ListJobs"] = error
    client = door.client("batch")
    with pytest.raises(client.exceptions.ServerException) as caught:
        client.list_jobs(jobQueue="q")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_log_errors_are_the_modelled_exceptions(door: Any) -> None:
    door.desk.answers["GetLogEvents"] = NotFound("The specified log stream does not exist.")
    client = door.client("logs")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="log stream does not exist"):
        client.get_log_events(logGroupName="g", logStreamName="s")
    with pytest.raises(client.exceptions.InvalidParameterException, match="logGroupName: expected `str` matching"):
        client.create_log_group(logGroupName="not a name")


def test_log_operations_that_are_not_spoken_are_unknown(door: Any) -> None:
    with pytest.raises(ClientError, match="Logs_20140328.StartQuery") as caught:
        door.client("logs").start_query(logGroupName="g", startTime=1, endTime=2, queryString="q")
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_sts_knows_the_account(door: Any) -> None:
    client = door.client("sts")
    identity = client.get_caller_identity()
    assert identity["Account"] == identity["UserId"] == "111122223333"
    assert identity["Arn"] == "arn:aws:iam::111122223333:root"
    assert identity["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError) as caught:
        client.get_session_token()
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    with pytest.raises(ClientError) as caught:
        client.assume_role(RoleArn="arn:aws:iam::111122223333:role/any", RoleSessionName="any")
    assert caught.value.response["Error"]["Code"] == "InvalidAction"


def test_services_that_are_not_here_are_named(door: Any) -> None:
    with pytest.raises(ClientError, match="no service ecs here; there are batch, logs, sts"):
        door.client("ecs").list_clusters()


def test_an_operation_that_is_not_built_says_so(strict_door: Any) -> None:
    with strict_door() as door:
        client = door.client("batch")
        assert client.list_jobs(jobQueue="q")["ResponseMetadata"]["HTTPStatusCode"] == 200
        with pytest.raises(client.exceptions.ClientException, match="SubmitServiceJob is not built yet"):
            client.submit_service_job(
                jobName="a", jobQueue="q", serviceRequestPayload="{}", serviceJobType="SAGEMAKER_TRAINING"
            )


def test_regions_do_not_mix(door: Any) -> None:
    door.desk.answers["SubmitJob"] = SubmitJobResponse(job_name="a", job_id="b", job_arn="c")
    for region in ("eu-west-3", "us-gov-west-1"):
        door.client("batch", region=region).submit_job(jobName="a", jobQueue="q", jobDefinition="d")
    assert [caller.region for _, caller, _ in door.desk.seen] == ["eu-west-3", "us-gov-west-1"]
    assert door.desk.seen[0][1].request_id != door.desk.seen[1][1].request_id


def _request_id(response: dict[str, Any]) -> str:
    return response["ResponseMetadata"]["RequestId"]
