"""The generator of the wire modules, on a model small enough to read."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

ROOT = Path(__file__).parents[3]

MODEL = {
    "metadata": {"serviceFullName": "Small Service", "apiVersion": "2001-01-01"},
    "operations": {
        "PutThing": {
            "http": {"method": "POST", "requestUri": "/v1/things/{thingId}"},
            "input": {"shape": "PutThingRequest"},
            "output": {"shape": "PutThingResponse"},
            "errors": [{"shape": "ClientException"}],
        },
        "DropThing": {
            "http": {"method": "DELETE", "requestUri": "/v1/dropthing"},
            "input": {"shape": "DropThingRequest"},
        },
    },
    "shapes": {
        "PutThingRequest": {
            "type": "structure",
            "required": ["kind"],
            "members": {
                "thingId": {"shape": "String", "location": "uri", "locationName": "thingId"},
                "kind": {"shape": "Kind", "documentation": "<p>prose that must not be taken</p>"},
                "maxvCpus": {"shape": "Integer"},
                "tags": {"shape": "TagrisTagsMap"},
                "retries": {"shape": "Retries"},
                "action": {"shape": "RetryAction"},
                "code": {"shape": "Code"},
            },
        },
        "DropThingRequest": {
            "type": "structure",
            "members": {"tagKeys": {"shape": "Names", "location": "querystring", "locationName": "tagKeys"}},
        },
        "PutThingResponse": {
            "type": "structure",
            "required": ["thingId"],
            "members": {"thingId": {"shape": "String"}, "kind": {"shape": "Kind"}, "count": {"shape": "Integer"}},
        },
        "Kind": {"type": "string", "enum": ["BIG", "SMALL"]},
        "Code": {"type": "string", "pattern": "[a-z]+", "min": 2},
        "RetryAction": {"type": "string", "enum": ["RETRY", "EXIT"]},
        "Retries": {"type": "list", "member": {"shape": "Retry"}, "max": 2},
        "Retry": {"type": "structure", "members": {"again": {"shape": "Retries"}, "seconds": {"shape": "Seconds"}}},
        "Seconds": {"type": "long", "min": 1},
        "Names": {"type": "list", "member": {"shape": "String"}},
        "TagrisTagsMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "String"}, "min": 1, "max": 3},
        "String": {"type": "string"},
        "Integer": {"type": "integer"},
    },
}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_wire", ROOT / "tools" / "generate_wire.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wire(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    """The modules generated from the small model, imported as the package that they say they are."""
    texts = generator.WireModel("small", MODEL).modules()
    package = "longshore.api.aws.small.wire"
    folder = tmp_path_factory.mktemp("wire")
    imported = {}
    for name in ("__init__", "scalars", "structures", "requests", "responses", "operations"):
        path = folder / f"{name}.py"
        path.write_text(texts[path.name])
        full_name = package if name == "__init__" else f"{package}.{name}"
        spec = importlib.util.spec_from_file_location(full_name, path, submodule_search_locations=[str(folder)])
        imported[name] = sys.modules[full_name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(imported[name])
    return imported


@pytest.mark.parametrize(
    ("wire_name", "attribute"),
    [
        ("jobRoleArn", "job_role_arn"),
        ("maxvCpus", "max_vcpus"),
        ("desiredvCpus", "desired_vcpus"),
        ("unmanagedvCpus", "unmanaged_vcpus"),
        ("ec2Configuration", "ec2_configuration"),
        ("privateIpv4Address", "private_ipv4_address"),
        ("s3filesVolumeConfiguration", "s3files_volume_configuration"),
        ("containerID", "container_id"),
        ("sizeInGiB", "size_in_gib"),
        ("vcpus", "vcpus"),
        ("UserId", "user_id"),
    ],
)
def test_members_get_names_that_python_would_give_them(generator: ModuleType, wire_name: str, attribute: str) -> None:
    assert generator.python_name(wire_name) == attribute


def test_requests_refuse_what_the_model_refuses(wire: dict[str, ModuleType]) -> None:
    request = wire["requests"].PutThingRequest

    def read(body: str) -> object:
        return msgspec.json.decode(body, type=request)

    good = read(
        '{"kind":"BIG","maxvCpus":4,"tags":{},"retries":[{"again":[{"seconds":1}]}],"action":"retry","code":"ab"}'
    )
    assert good.max_vcpus == 4
    assert good.retries[0].again[0].seconds == 1
    assert good.action == "retry", "what AWS reads in any case is text"
    for bad in (
        "{}",
        '{"kind":"HUGE"}',
        '{"kind":"BIG","maxvCpus":2147483648}',
        '{"kind":"BIG","retries":[{"seconds":0}]}',
        '{"kind":"BIG","retries":[{},{},{}]}',
        '{"kind":"BIG","code":"AB"}',
        '{"kind":"BIG","code":"ab\\n"}',
        '{"kind":"BIG","code":"a"}',
        '{"kind":"BIG","tags":{"a":"","b":"","c":"","d":""}}',
    ):
        with pytest.raises(msgspec.ValidationError):
            read(bad)


def test_answers_require_and_check_nothing(wire: dict[str, ModuleType]) -> None:
    response = wire["responses"].PutThingResponse
    assert msgspec.json.encode(response(kind="NEW KIND", count=2**40)) == b'{"kind":"NEW KIND","count":1099511627776}'


def test_the_table_of_operations_tells_where_members_are(wire: dict[str, ModuleType]) -> None:
    operations = wire["operations"].OPERATIONS
    assert list(operations) == ["DropThing", "PutThing"]
    put = operations["PutThing"]
    assert (put.method, put.path, put.query) == ("POST", "/v1/things/{thingId}", ())
    assert put.errors == ("ClientException",)
    assert operations["DropThing"].query == ("tagKeys",)
    assert operations["DropThing"].output is None


def test_no_prose_of_the_model_is_taken(generator: ModuleType) -> None:
    assert not any("prose" in text for text in generator.WireModel("small", MODEL).modules().values())


def test_differences_are_summed_up_by_member(generator: ModuleType) -> None:
    changed = msgspec.json.decode(msgspec.json.encode(MODEL))
    changed["shapes"]["PutThingRequest"]["members"]["colour"] = {"shape": "String"}
    changed["shapes"]["Seconds"]["max"] = 9
    changed["shapes"]["Retry"]["members"]["pause"] = {"shape": "Pause"}
    changed["shapes"]["Pause"] = {"type": "structure", "members": {"length": {"shape": "Seconds"}}}
    changed["operations"]["GrowThing"] = changed["operations"].pop("DropThing")
    old, new = (generator.WireModel("small", model).modules() for model in (MODEL, changed))

    assert generator.differences(old["requests.py"], new["requests.py"]) == [
        "+ PutThingRequest.colour: str | None = None",
    ]
    assert generator.differences(old["structures.py"], new["structures.py"]) == [
        "+ Pause: a structure",
        "+ Retry.pause: Pause | None = None",
    ]
    seconds = generator.differences(old["scalars.py"], new["scalars.py"])
    assert len(seconds) == 1
    assert seconds[0].startswith("~ Seconds: ")
    told = [line.partition(":")[0] for line in generator.differences(old["operations.py"], new["operations.py"])]
    assert told == ["+ operation GrowThing", "- operation DropThing"]


def test_a_shape_that_cannot_be_expressed_stops_the_generator(generator: ModuleType) -> None:
    changed = msgspec.json.decode(msgspec.json.encode(MODEL))
    changed["shapes"]["Kind"] = {"type": "blob"}
    with pytest.raises(SystemExit, match="Kind is a blob"):
        generator.WireModel("small", changed).modules()


def test_the_checked_in_modules_are_those_of_the_locked_model(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["generate_wire.py", "--check"])
    assert generator.main() == 0
