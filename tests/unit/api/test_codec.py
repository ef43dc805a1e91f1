"""Requests are read as AWS reads them, and refused in words that help."""

import pytest

from longshore.api.aws.batch.wire.requests import (
    CreateComputeEnvironmentRequest,
    ListJobsRequest,
    RegisterJobDefinitionRequest,
    SubmitJobRequest,
    TagResourceRequest,
    UpdateJobQueueRequest,
)
from longshore.api.aws.batch.wire.structures import ArrayProperties, JobDetail
from longshore.api.aws.codec import Decoder, encode
from longshore.api.aws.faults import MalformedRequest
from longshore.domain.errors import InvalidRequest

SUBMIT = Decoder(SubmitJobRequest, refuse_nul=True)
MINIMAL = b'"jobName":"a","jobQueue":"q","jobDefinition":"d"'


def submit(members: str) -> SubmitJobRequest:
    return SUBMIT.decode(b"{" + MINIMAL + b"," + members.encode() + b"}")


def test_null_is_absence_and_unknown_members_are_ignored() -> None:
    request = submit('"parameters":null,"novelty":{"a":[1,2]},"tags":{}')
    assert request.parameters is None
    assert request.tags == {}


def test_an_empty_array_properties_is_accepted() -> None:
    assert submit('"arrayProperties":{}').array_properties == ArrayProperties()


@pytest.mark.parametrize(("text", "number"), [("3", 3), ("3.0", 3), ("1.5e3", 1500), ("-0.0", 0)])
def test_integral_floats_are_integers(text: str, number: int) -> None:
    request = submit(f'"schedulingPriorityOverride":{text}')
    assert request.scheduling_priority_override == number
    assert isinstance(request.scheduling_priority_override, int)


def test_case_of_evaluate_on_exit_action_is_free() -> None:
    request = submit('"retryStrategy":{"evaluateOnExit":[{"action":"retry","onExitCode":"1"}]}')
    assert request.retry_strategy.evaluate_on_exit[0].action == "retry"


def test_none_is_left_out_and_empty_collections_stay() -> None:
    assert encode(JobDetail(job_id="a", depends_on=[], tags={}, is_cancelled=False)) == (
        b'{"jobId":"a","dependsOn":[],"tags":{},"isCancelled":false}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"}",
        b"{'jobName': 1}",
        b'{"jobName": "a"} trailing',
        b'{"jobName": 5, garbage',
        b'{"jobName": "\xff"}',
        b'{"unknown": "\xff"}',
        b'\xef\xbb\xbf{"jobName": "a"}',
        b'{"jobName": "\\ud800 alone"}',
        b'{"unknown": ' + b"[" * 100_000,
        b'{"unknown": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b'{"a": 01}',
        b'{"a": NaN}',
    ],
)
def test_what_is_not_json_gets_the_text_of_aws(body: bytes) -> None:
    with pytest.raises(MalformedRequest) as caught:
        SUBMIT.decode(body)
    assert caught.value.message == "An error occurred during JSON parsing"
    assert not caught.value.wrapped


@pytest.mark.parametrize(
    ("shape", "body", "text"),
    [
        (SubmitJobRequest, "", "jobName is required"),
        (SubmitJobRequest, "{}", "jobName is required"),
        (SubmitJobRequest, "[]", "the request: expected `object`, got `array`"),
        (SubmitJobRequest, '"text"', "the request: expected `object`, got `str`"),
        (SubmitJobRequest, "null", "the request: expected `object`, got `null`"),
        (SubmitJobRequest, '{"jobName":5}', "jobName: expected `str`, got `int`"),
        (SubmitJobRequest, '{"jobName":null}', "jobName: expected `str`, got `null`"),
        (
            RegisterJobDefinitionRequest,
            '{"jobDefinitionName":"a","type":"box"}',
            "type is 'box', which is not one of container, multinode",
        ),
        (
            RegisterJobDefinitionRequest,
            '{"containerProperties":{"resourceRequirements":[{"type":"VCPU","value":"1"},{"type":"CPU","value":"1"}]}}',
            "containerProperties.resourceRequirements[1].type is 'CPU', which is not one of GPU, MEMORY, VCPU",
        ),
        (
            RegisterJobDefinitionRequest,
            '{"containerProperties":{"ulimits":[{"hardLimit":1}]}}',
            "containerProperties.ulimits[0].name is required",
        ),
        (
            RegisterJobDefinitionRequest,
            '{"containerProperties":{"vcpus":1.5}}',
            "containerProperties.vcpus: expected `int`, got `float`",
        ),
        (
            RegisterJobDefinitionRequest,
            '{"containerProperties":{"memory":1e10}}',
            "containerProperties.memory: expected `int` <= 2147483647",
        ),
        (
            CreateComputeEnvironmentRequest,
            '{"computeResources":{"ec2Configuration":[{"imageType":""}]}}',
            "computeResources.ec2Configuration[0].imageType: expected `str` of length >= 1",
        ),
        (TagResourceRequest, '{"tags":{"":"a"}}', "a key of tags: expected `str` of length >= 1"),
        (TagResourceRequest, '{"tags":{"a":5}}', "tags[...]: expected `str`, got `int`"),
        (ListJobsRequest, '{"jobStatus":"DONE"}', "jobStatus is 'DONE', which is not one of FAILED, PENDING, "),
        (ListJobsRequest, '{"maxResults":"5"}', "maxResults: expected `int`, got `str`"),
        (UpdateJobQueueRequest, '{"state":"` - at `$.x`"}', "state is '` - at `$.x`', which is not one of DISABLED, "),
    ],
)
def test_a_refusal_says_what_is_wrong_where_and_what_would_be_right(shape: type, body: str, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Decoder(shape).decode(body.encode())
    assert caught.value.message.startswith(text)
    assert caught.value.wrapped


def test_a_long_wrong_value_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Decoder(ListJobsRequest).decode(b'{"jobStatus":"%s"}' % (b"x" * 100_000))
    assert len(caught.value.message) < 400


def test_text_that_no_program_can_be_given_is_refused() -> None:
    for members in ('"parameters":{"a":"x\\u0000y"}', '"tags":{"\\u0000":"a"}', '"dependsOn":[{"jobId":"\\u0000"}]'):
        with pytest.raises(InvalidRequest, match=r"U\+0000"):
            submit(members)
    assert submit('"parameters":{"a":"\\\\u0000"}').parameters == {"a": "\\u0000"}, "an escaped backslash is no escape"
