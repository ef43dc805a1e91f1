"""`longshore:override`: image, user, shared memory and scratch disk for one job without a definition of its own.

A parameter of SubmitJob holds it, as JSON. The job is as if its definition said so: the rules on definitions hold with
their texts, and the overrides of the AWS API come on top.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any, TypeVar, assert_never, cast

import msgspec

from longshore.domain.container import ContainerProperties, EphemeralStorage, LinuxParameters
from longshore.domain.definition import Form, Formed, JobDefinition
from longshore.domain.ecs import EcsProperties, TaskContainerProperties
from longshore.domain.eks import EksContainer, EksContainerSecurityContext, EksProperties
from longshore.domain.nodes import NodeProperties, NodeRangeProperty
from longshore.service.form_rules import check_form
from longshore.service.refusals import invalid

OVERRIDE = "longshore:override"

_OF_CONTAINER = ("image", "user", "sharedMemorySize")
_OF_POD_CONTAINER = ("image", "user")
_SCRATCH = "ephemeralStorage"
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_LARGEST = 2**31 - 1
#: Of a user, and of a group: pods know them by number only.
_IDS = re.compile("([0-9]{1,10})(?::([0-9]{1,10}))?")

Container = TypeVar("Container", ContainerProperties, TaskContainerProperties)


def override_definition(definition: JobDefinition, text: str) -> JobDefinition:
    """`definition` as it is for a job that is submitted with the override `text`.

    Raises:
        InvalidRequest: `text` is malformed or does not go with the form, or what comes out breaks a rule.
    """
    try:
        value = msgspec.json.decode(text)
    except _UNREADABLE as error:
        reason = f": {error}" if isinstance(error, msgspec.DecodeError) else ""
        raise invalid(f'{OVERRIDE} should be JSON such as {{"image": "busybox:1.36"}}{reason}') from None
    formed = _changed(definition.form, value, OVERRIDE)
    changed = replace(
        definition,
        container=formed.container,
        ecs_properties=formed.ecs_properties,
        eks_properties=formed.eks_properties,
        node_properties=formed.node_properties,
    )
    check_form(
        changed,
        definition.type,
        capabilities=definition.platform_capabilities,
        propagates_tags=definition.propagate_tags is not None,
    )
    return changed


class _Object:
    """An object of the override. Members that are null count as absent."""

    def __init__(self, value: object, where: str, known: Collection[str]) -> None:
        """Raises InvalidRequest unless `value` is an object that holds none but the members in `known`."""
        if not isinstance(value, dict):
            raise _mistyped(where, "an object", value)
        members = cast("dict[str, object]", value)
        if unknown := [name for name in members if name not in known]:
            raise invalid(f"{where} has no member {unknown[0][:100]} here: it may hold {', '.join(known)}"[:1000])
        self.where = where
        self._members = {name: member for name, member in members.items() if member is not None}

    def text(self, name: str) -> str | None:
        member = self._members.get(name)
        if member is None or isinstance(member, str):
            return member
        raise _mistyped(f"{self.where}.{name}", "text", member)

    def whole(self, name: str) -> int | None:
        member = self._members.get(name)
        if member is None:
            return None
        if isinstance(member, int) and not isinstance(member, bool) and abs(member) <= _LARGEST:
            return member
        raise _mistyped(f"{self.where}.{name}", f"a whole number up to {_LARGEST}", member)

    def member(self, name: str) -> object:
        """What is there; absent, it is an empty object."""
        return self._members.get(name, {})

    def part(self, name: str, known: Collection[str]) -> "_Object":
        """The object that is the member `name`; absent, it is empty."""
        return _Object(self.member(name), f"{self.where}.{name}", known)


def _mistyped(where: str, right: str, value: object) -> Exception:
    match value:
        case dict():
            got = "an object"
        case list():
            got = "a list"
        case _:
            got = msgspec.json.encode(value).decode()[:100]
    return invalid(f"{where} should be {right}, got {got}")


def _changed(form: Form, value: object, where: str) -> Formed:
    match form:
        case ContainerProperties():
            members = _Object(value, where, (*_OF_CONTAINER, _SCRATCH))
            scratch = _scratch(members) or form.ephemeral_storage
            return Formed(container=replace(_changed_container(form, members), ephemeral_storage=scratch))
        case EcsProperties():
            return Formed(ecs_properties=_changed_task(form, _Object(value, where, ("containers", _SCRATCH))))
        case EksProperties():
            return Formed(eks_properties=_changed_pod(form, _Object(value, where, ("containers",))))
        case NodeProperties():
            targets = [each.target_nodes for each in form.node_range_properties]
            nodes = _Object(value, where, ("nodes",)).part("nodes", targets)
            ranges = tuple(_changed_range(each, nodes) for each in form.node_range_properties)
            return Formed(node_properties=replace(form, node_range_properties=ranges))
        case _:
            assert_never(form)


def _scratch(members: _Object) -> EphemeralStorage | None:
    size = members.part(_SCRATCH, ("sizeInGiB",)).whole("sizeInGiB")
    return None if size is None else EphemeralStorage(size_in_gib=size)


def _changed_container(container: Container, members: _Object) -> Container:
    changes: dict[str, Any] = {"image": members.text("image"), "user": members.text("user")}
    shared = members.whole("sharedMemorySize")
    if shared is not None:
        linux = container.linux_parameters or LinuxParameters()
        changes["linux_parameters"] = replace(linux, shared_memory_size=shared)
    return replace(container, **{name: value for name, value in changes.items() if value is not None})


def _changed_task(form: EcsProperties, members: _Object) -> EcsProperties:
    task = form.task
    parts = members.part("containers", [each.name for each in task.containers])
    task = replace(
        task,
        containers=tuple(_changed_container(each, parts.part(each.name, _OF_CONTAINER)) for each in task.containers),
        ephemeral_storage=_scratch(members) or task.ephemeral_storage,
    )
    return EcsProperties(task_properties=(task,))


def _changed_pod(form: EksProperties, members: _Object) -> EksProperties:
    pod = form.pod_properties
    parts = members.part("containers", [each.name for each in (*pod.containers, *pod.init_containers)])

    def changed(containers: tuple[EksContainer, ...]) -> tuple[EksContainer, ...]:
        return tuple(_changed_pod_container(each, parts.part(each.name, _OF_POD_CONTAINER)) for each in containers)

    pod = replace(pod, containers=changed(pod.containers), init_containers=changed(pod.init_containers))
    return EksProperties(pod_properties=pod)


def _changed_pod_container(container: EksContainer, members: _Object) -> EksContainer:
    image, user = members.text("image"), members.text("user")
    if image is not None:
        container = replace(container, image=image)
    if user is None:
        return container
    ids = _IDS.fullmatch(user)
    if ids is None:
        raise invalid(f"{members.where}.user should be numbers such as 1000 or 1000:1000, got {user[:100]!r}")
    context = replace(container.security_context or EksContainerSecurityContext(), run_as_user=int(ids[1]))
    if ids[2] is not None:
        context = replace(context, run_as_group=int(ids[2]))
    return replace(container, security_context=context)


def _changed_range(each: NodeRangeProperty, nodes: _Object) -> NodeRangeProperty:
    formed = _changed(each.form, nodes.member(each.target_nodes), f"{nodes.where}.{each.target_nodes}")
    return replace(
        each, container=formed.container, ecs_properties=formed.ecs_properties, eks_properties=formed.eks_properties
    )
