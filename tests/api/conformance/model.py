"""The service model of AWS Batch that botocore carries, and the ways through it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

SERVICE = ServiceModel(Loader().load_service_model("batch", "service-2"), "batch")
OPERATIONS: tuple[str, ...] = tuple(SERVICE.operation_names)
#: Operation to its pagination: input and output token, limit key, result key.
PAGINATORS: Mapping[str, Any] = Loader().load_service_model("batch", "paginators-1")["pagination"]

#: Where AWS Batch is more lenient than its model: enumerations it reads in any case, collections it takes empty.
ANY_CASE = frozenset({"RetryAction"})
MAY_BE_EMPTY = frozenset({"TagrisTagsMap"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an input or output, at any depth."""

    operation: str
    #: Names from the outermost down; lists and maps are passed through without a step.
    path: tuple[str, ...]
    shape: Shape
    #: The structure that has it.
    owner: StructureShape

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def is_required(self) -> bool:
        return self.name in self.owner.required_members

    @property
    def in_body(self) -> bool:
        """Whether it is sent as JSON, rather than in the path or the query."""
        location = self.shape.serialization.get("location")
        return location is None

    def __str__(self) -> str:
        return ".".join((self.operation, *self.path))


@cache
def operation_model(operation: str) -> OperationModel:
    return SERVICE.operation_model(operation)


@cache
def members(operation: str) -> tuple[Member, ...]:
    """All members of the operation's input, outer before inner. A shape inside itself is not entered again."""
    return _members(operation, operation_model(operation).input_shape)


@cache
def answer_members(operation: str) -> tuple[Member, ...]:
    """All members of the operation's output, likewise."""
    shape = operation_model(operation).output_shape
    return () if shape is None else _members(operation, shape)


def _members(operation: str, whole: Shape) -> tuple[Member, ...]:

    def walk(shape: Shape, path: tuple[str, ...], entered: frozenset[str]) -> Iterator[Member]:
        match shape:
            case StructureShape() if shape.name not in entered:
                for name, inner in shape.members.items():
                    yield Member(operation=operation, path=(*path, name), shape=inner, owner=shape)
                    yield from walk(inner, (*path, name), entered | {shape.name})
            case ListShape():
                yield from walk(shape.member, path, entered)
            case MapShape():
                yield from walk(shape.value, path, entered)
            case _:
                pass

    return tuple(walk(whole, (), frozenset()))


def fitting(shape: Shape) -> Any:
    """The least JSON value that fits `shape`: what is required, and nothing else."""
    match shape:
        case StructureShape():
            return {name: fitting(shape.members[name]) for name in shape.required_members}
        case ListShape():
            return [fitting(shape.member)] * shape.metadata.get("min", 0)
        case MapShape():
            return {}
        case _ if shape.metadata.get("enum"):
            return shape.metadata["enum"][0]
        case _:
            pass
    match shape.type_name:
        case "string":
            return "a" * max(1, shape.metadata.get("min", 1))
        case "boolean":
            return True
        case "float" | "double":
            return 0.5
        case _:
            return max(1, shape.metadata.get("min", 1))


def around(path: tuple[str, ...], value: Any, shape: Shape, base: Any = None) -> Any:
    """`base`, else the least value that fits `shape`, with `value` at `path`."""
    match shape:
        case ListShape():
            first = base[0] if isinstance(base, list) and base else None
            return [around(path, value, shape.member, first)]
        case MapShape():
            key, inner = next(iter(base.items())) if base else ("aa", None)
            return {key: around(path, value, shape.value, inner)}
        case StructureShape() if path:
            whole = dict(base) if base is not None else fitting(shape)
            name, *rest = path
            inner = shape.members[name]
            whole[name] = around(tuple(rest), value, inner, whole.get(name)) if rest else value
            return whole
        case _:
            raise AssertionError(f"{path} leads nowhere")


def find(value: Any, path: tuple[str, ...]) -> list[Any]:
    """What stands at `path` in a request, in all items of the lists and maps on the way."""
    found = [value]
    for name in path:
        found = [each[name] for each in _spread(found) if isinstance(each, dict) and name in each]
    return found


def without(value: Any, path: tuple[str, ...]) -> Any:
    """A copy of a request without the member at `path`, wherever it stands."""
    match value:
        case list():
            return [without(each, path) for each in value]
        case dict() if path[0] in value:
            name, *rest = path
            kept = {key: inner for key, inner in value.items() if key != name}
            return kept | {name: without(value[name], tuple(rest))} if rest else kept
        case dict() if value and all(isinstance(inner, dict) for inner in value.values()):
            return {key: without(inner, path) for key, inner in value.items()}
        case _:
            return value


def altered(value: Any, shape: Shape, path: tuple[str, ...]) -> Any:
    """A copy of a request with other values for the member at `path`."""
    match shape:
        case StructureShape():
            if not path:
                return {name: altered(inner, shape.members[name], ()) for name, inner in value.items()}
            name, *rest = path
            if name not in value:
                return value
            return value | {name: altered(value[name], shape.members[name], tuple(rest))}
        case ListShape():
            return [altered(each, shape.member, path) for each in value]
        case MapShape():
            return {key: altered(inner, shape.value, path) for key, inner in value.items()}
        case _:
            pass
    if enum := shape.metadata.get("enum"):
        return next((other for other in enum if other != value), value)
    match value:
        case bool():
            return not value
        case str():
            return f"{value}0" if value.isdecimal() else "other"
        case _:
            return value + 1


def _spread(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _spread(value)
        else:
            yield value
