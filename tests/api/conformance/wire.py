"""Requests as bytes, so that any can be sent, and answers held against the model and against botocore's reading."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import create_parser

from tests.api.conformance.model import operation_model

#: The longest that any request may take; more is a hang.
DEADLINE_SECONDS = 10.0
#: Members that the model requires of an answer and that AWS Batch leaves out all the same, until there is something.
ABSENT_AT_FIRST = frozenset(
    {("JobDetail", "startedAt"), ("ServiceJobSummary", "startedAt"), ("DescribeServiceJobResponse", "startedAt")}
)

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}
_PARSER = create_parser("rest-json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, held against the operation's output shape."""

    operation: str
    status: int
    #: The body, or None when it is not JSON.
    body: Any
    error: str
    message: str
    #: Where the answer is not what the model says.
    faults: tuple[str, ...]

    @property
    def is_not_built(self) -> bool:
        return f"{self.operation} is not built yet" in self.message


class Wire:
    """One connection to a server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def ask(self, operation: str, members: Any, *, region: str = "us-east-1") -> Reply:
        """Send it whatever it holds. Raises TimeoutError when no answer comes in time."""
        model = operation_model(operation)
        path, query, body = model.http["requestUri"], [], members
        if isinstance(members, dict):
            body = dict(members)
            for name, shape in model.input_shape.members.items():
                location = shape.serialization.get("location")
                if location is None or name not in body:
                    continue
                value = body.pop(name)
                if location == "uri":
                    path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
                else:
                    query += [(name, each) for each in (value if isinstance(value, list) else [value])]
        if query:
            path += f"?{urlencode(query, quote_via=quote, errors='surrogatepass')}"
        sent = b"" if model.http["method"] in ("GET", "DELETE") else json.dumps(body).encode()
        return self.send(operation, model.http["method"], path, sent, region=region)

    def send(self, operation: str, method: str, path: str, body: bytes, *, region: str = "us-east-1") -> Reply:
        """Send bytes as they are."""
        scope = f"any/20260101/{region}/batch/aws4_request"
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }
        try:
            self._connection.request(method, path, body, headers)
            received = self._connection.getresponse()
            content = received.read()
        except http.client.HTTPException:
            self._connection.close()
            raise
        return _read(operation, received.status, dict(received.getheaders()), content)


def _read(operation: str, status: int, headers: dict[str, str], content: bytes) -> Reply:
    shape = operation_model(operation).output_shape
    folded = {name.lower(): value for name, value in headers.items()}
    parsed = _PARSER.parse({"status_code": status, "headers": folded, "body": content}, shape)
    parsed.pop("ResponseMetadata", None)
    try:
        body = json.loads(content)
    except ValueError:
        return Reply(operation=operation, status=status, body=None, error="", message="", faults=("it is not JSON",))
    if status == 200:
        faults = tuple(differences(body, shape, "")) if shape is not None else ()
        if not faults and shape is not None and parsed != body:
            faults = ("botocore reads something else",)
        return Reply(operation=operation, status=status, body=body, error="", message="", faults=faults)
    error, message = parsed["Error"]["Code"], parsed["Error"]["Message"]
    faults = () if isinstance(body, dict) and body.get("message") == message else ("the message is not in `message`",)
    return Reply(operation=operation, status=status, body=body, error=error, message=message, faults=faults)


def differences(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Where `value` is not what `shape` says."""
    kinds = _KINDS[shape.type_name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        yield f"{path or 'the answer'} is {json.dumps(value)[:60]}, not a {shape.type_name}"
        return
    if enum := shape.metadata.get("enum"):
        if value not in enum:
            yield f"{path} is {value!r}, not one of {enum}"
        return
    match shape:
        case StructureShape():
            for name in value.keys() - shape.members.keys():
                yield f"{path}.{name} is no member of {shape.name}"
            for name in shape.required_members:
                if name not in value and (shape.name, name) not in ABSENT_AT_FIRST:
                    yield f"{path}.{name} is missing"
            for name in value.keys() & shape.members.keys():
                yield from differences(value[name], shape.members[name], f"{path}.{name}")
        case ListShape():
            for index, item in enumerate(value):
                yield from differences(item, shape.member, f"{path}[{index}]")
        case MapShape():
            for key, item in value.items():
                yield from differences(item, shape.value, f"{path}[{key!r}]")
        case _:
            pass
