"""Which members of requests reach the service: found by leaving each out of a request that is carried out.

A member counts as proven when the request without it leaves something else behind, or is refused by a rule of the
service. Where that tells nothing, since the model requires the member or its default is what was sent, its value is
changed instead, which must make the same difference. A member that translation drops can do neither. (A member with
one possible value that is required, or that an update would set to what it is, tells the service nothing; it is proven
by the request.)
"""

from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

from botocore.model import Shape, StructureShape

from tests.api.conformance.model import Member, altered, find, members, operation_model, without
from tests.api.conformance.observation import observe
from tests.api.conformance.wire import Wire
from tests.api.conformance.world import EXAMPLES, Build, Unmet, World

Path: TypeAlias = tuple[str, ...]
Change: TypeAlias = Callable[[Any], Any]


def proven_members(wire: Wire, operation: str) -> frozenset[Path]:
    """The members of the operation that some example proves."""
    return frozenset(path for build in EXAMPLES.get(operation, ()) for path in _proven_by(wire, operation, build))


def _proven_by(wire: Wire, operation: str, build: Build) -> Iterator[Path]:
    try:
        request, shown = _carry_out(World(wire=wire), operation, build, lambda request: request)
    except Unmet:
        return
    shape = operation_model(operation).input_shape
    for member in members(operation):
        if find(request, member.path):
            changes = (partial(without, path=member.path), partial(altered, shape=shape, path=member.path))
            says_nothing = _has_one_value(member.shape) and (member.is_required or operation.startswith("Update"))
            if says_nothing or any(
                _makes_a_difference(wire, operation, build, change, member.name, shown) for change in changes
            ):
                yield member.path


def _has_one_value(shape: Shape) -> bool:
    if isinstance(shape, StructureShape):
        return all(name in shape.required_members and _has_one_value(each) for name, each in shape.members.items())
    return len(shape.metadata.get("enum", ())) == 1


def _makes_a_difference(wire: Wire, operation: str, build: Build, change: Change, name: str, shown: Any) -> bool:
    try:
        _, left = _carry_out(World(wire=wire), operation, build, change)
    except Unmet as unmet:
        return f"{name} is required" not in unmet.reply.message
    return bool(left != shown)


def _carry_out(world: World, operation: str, build: Build, change: Change) -> tuple[Any, Any]:
    """The request as it was, and what is seen after the changed one. Raises Unmet."""
    request = build(world)
    changed = change(request)
    reply = world.ask(operation, changed)
    if reply.status != 200:
        raise Unmet(reply)
    return request, observe(world, reply, is_changed=changed is not request)


def tops(operation: str, whole: Iterable[Member], proven: Container[Path]) -> list[str]:
    """The rest of `whole`, as `Operation.path`; of a member whose members are all in the rest only itself."""
    rest = {member.path for member in whole if member.path not in proven}
    highest = [path for path in rest if not any(path[:length] in rest for length in range(1, len(path)))]
    return sorted(".".join((operation, *path)) for path in highest)
