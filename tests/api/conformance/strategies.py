"""Requests drawn from the service model: such that fit it, such that are carried out, and such that are damaged."""

import json
from collections.abc import Sequence
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import strategies as st

from tests.api.conformance.model import ANY_CASE, operation_model
from tests.api.conformance.world import EXAMPLES, SMALL, TRAINING, Unmet, World

#: Below this depth, structures hold what is required and no more.
_DEEPEST = 4
_TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "a",
        "1",
        "0.5",
        "VCPU",
        "MEMORY",
        "*",
        "Ref::a",
        "Ref::",
        "aws:",
        "AWS_BATCH_X",
        "JOB_NAME",
        "9" * 20,
        "a b",
        "..",
    ]
    + [
        "00000000-0000-4000-8000-000000000000",
        "arn:aws:batch:us-east-1:000000000000:job-queue/a",
        "\u2028",
        "0:",
        "1:1",
    ]
)
_DEEP = b'{"tags":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
_WIDE = json.dumps({"tags": {str(index): "v" for index in range(20_000)}}).encode()
_ODD: Sequence[Any] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**64,
    1.5,
    1e308,
    "",
    "a" * 70_000,
    [],
    {},
    [[]],
    {"": None},
    "\0",
    "\ud7ff",
)


def names_of(world: World) -> dict[str, list[str]]:
    """What members of these names may refer to, of what the world has made so far."""
    made = vars(world)
    queues = [made[kind] for kind in ("queue", "shared_queue", "service_queue", "quota_queue") if kind in made]
    environments = [made[kind] for kind in ("environment", "managed", "fargate") if kind in made]
    jobs = [*world.job_ids, *(f"{each}:0" for each in world.job_ids[-2:])]
    definitions = [made["definition"], "definition"] if "definition" in made else []
    return {
        "jobQueue": queues + [world.arn("job-queue", each) for each in queues],
        "jobQueues": queues,
        "computeEnvironment": environments + [world.arn("compute-environment", each) for each in environments],
        "computeEnvironments": environments,
        "jobDefinition": definitions,
        "jobDefinitions": definitions,
        "jobDefinitionName": ["definition"] if definitions else [],
        "jobId": jobs + world.service_job_ids,
        "jobs": jobs + world.service_job_ids,
        "arrayJobId": jobs,
        "resourceArn": [world.arn("job-queue", each) for each in queues] + definitions[:1],
        "arn": [made["policy"]] if "policy" in made else [],
        "arns": [made["policy"]] if "policy" in made else [],
        "schedulingPolicyArn": [made["policy"]] if "policy" in made else [],
        "consumableResource": [made["consumable"]] if "consumable" in made else [],
        "serviceEnvironment": [made["service_environment"]] if "service_environment" in made else [],
        "quotaShareArn": [made["quota_share"]] if "quota_share" in made else [],
        "serviceRequestPayload": [TRAINING],
    }


@st.composite
def fitting_values(draw: st.DrawFn, shape: Shape, name: str, names: dict[str, list[str]], depth: int = 0) -> Any:
    """JSON that fits `shape`; texts of a member named `name` are mostly such as mean something there."""

    def inner(part: Shape, part_name: str) -> Any:
        return draw(fitting_values(part, part_name, names, depth + 1))

    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 2**31)
    match shape:
        case StructureShape():
            optional = sorted(shape.members.keys() - set(shape.required_members))
            chosen = draw(st.lists(st.sampled_from(optional), unique=True, max_size=4)) if optional else []
            if depth >= _DEEPEST:
                chosen = []
            return {part: inner(shape.members[part], part) for part in (*shape.required_members, *chosen)}
        case ListShape() if name == "resourceRequirements":
            return draw(st.sampled_from([SMALL, SMALL[:1]]))
        case ListShape():
            count = draw(st.integers(least, min(most, max(least, 2))))
            return [inner(shape.member, name) for _ in range(count)]
        case MapShape():
            keys = draw(st.lists(st.text(min_size=1, max_size=5), max_size=2, unique=True))
            return {key: inner(shape.value, name) for key in keys}
        case _ if shape.metadata.get("enum"):
            value = draw(st.sampled_from(shape.metadata["enum"]))
            return value.lower() if shape.name in ANY_CASE else value
        case _:
            pass
    match shape.type_name:
        case "string":
            known = names.get(name)
            if known and draw(st.integers(0, 9)):
                return draw(st.sampled_from(known))
            return draw(_TEXTS).ljust(least, "a")[: min(most, 80_000)]
        case "boolean":
            return draw(st.booleans())
        case "float" | "double":
            return draw(st.floats(allow_nan=False, allow_infinity=False, width=32))
        case _:
            small = st.integers(max(least, -2), min(most, max(least, 70)))
            return draw(
                small
                | st.sampled_from([value for value in (600, 2**31 - 1, -(2**31)) if least <= value <= most] or [least])
            )


@st.composite
def near_examples(draw: st.DrawFn, world: World, operation: str, serial: int) -> Any:
    """An example under a name of its own, with some optional members left out or drawn anew."""
    shape = operation_model(operation).input_shape
    names = names_of(world)
    try:
        request = draw(st.sampled_from(EXAMPLES[operation]))(world)
    except Unmet:
        return draw(fitting_values(shape, "", names))
    request = json.loads(json.dumps(request).replace('"new"', f'"new{serial}"'))
    return _varied(draw, request, shape, names)


def _varied(draw: st.DrawFn, value: Any, shape: Shape, names: dict[str, list[str]]) -> Any:
    match shape:
        case StructureShape():
            optional = sorted(value.keys() - set(shape.required_members))
            changed = draw(st.lists(st.sampled_from(optional), max_size=1)) if optional else []
            for name in changed:
                if draw(st.integers(0, 3)):
                    del value[name]
                else:
                    value[name] = draw(fitting_values(shape.members[name], name, names, 2))
            if optional and len(changed) == 0 and draw(st.booleans()):
                name = draw(st.sampled_from(optional))
                value[name] = _varied(draw, value[name], shape.members[name], names)
            return value
        case ListShape() if value:
            at = draw(st.integers(0, len(value) - 1))
            return [*value[:at], _varied(draw, value[at], shape.member, names), *value[at + 1 :]]
        case _:
            return value


@st.composite
def damaged(draw: st.DrawFn, world: World, operation: str, serial: int) -> tuple[str, str, bytes]:
    """Method, path and body of a request that is wrong in one way or in several."""
    request = draw(near_examples(world, operation, serial))
    for _ in range(draw(st.integers(0, 3))):
        request = _damage(draw, request)
    body = json.dumps(request).encode()
    http = operation_model(operation).http
    path = str(http["requestUri"]).replace(
        "{resourceArn}", draw(st.sampled_from(["arn%3Aaws", "%ff", "a/b", "%00", ""]))
    )
    method = draw(st.sampled_from([http["method"]] * 8 + ["GET", "DELETE", "PUT"]))
    match draw(st.sampled_from(["whole"] * 6 + ["cut", "bytes", "repeated", "deep", "wide", "query"])):
        case "cut":
            body = body[: draw(st.integers(0, len(body)))]
        case "bytes":
            at = draw(st.integers(0, len(body)))
            body = body[:at] + draw(st.binary(max_size=8)) + body[at + draw(st.integers(0, 4)) :]
        case "repeated":
            body = body[:-1] + b"," + body[1:] if len(body) > 2 else body
        case "deep":
            body = _DEEP
        case "wide":
            body = _WIDE
        case "query":
            path += draw(st.sampled_from(["?", "?tagKeys", "?tagKeys=%ff", "?" + "tagKeys=a&" * 300, "?a=b&tagKeys=x"]))
        case _:
            pass
    return method, path, body


def _damage(draw: st.DrawFn, value: Any) -> Any:
    """`value` with something odd in some place of it."""
    match value:
        case dict() if value and draw(st.integers(0, 4)):
            key = draw(st.sampled_from(sorted(value)))
            return value | {key: _damage(draw, value[key])}
        case list() if value and draw(st.integers(0, 4)):
            at = draw(st.integers(0, len(value) - 1))
            return [*value[:at], _damage(draw, value[at]), *value[at + 1 :]]
        case _:
            return draw(st.sampled_from(_ODD) | _TEXTS | st.lists(_TEXTS, max_size=3))
