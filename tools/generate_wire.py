"""Write the wire modules of the AWS fronts from the service models that botocore carries.

Names, types and limits are taken; none of the models' prose is. Run plainly, it writes the modules of
`src/longshore/api/aws/*/wire` anew; with `--check` it writes nothing, sums up how the models differ, and then fails.
"""

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import botocore
from botocore.loaders import Loader

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "longshore" / "api" / "aws"

#: The services that are spoken, and of each the operations taken; an empty tuple takes all.
SERVICES: Mapping[str, tuple[str, ...]] = {
    "batch": (),
    "logs": (
        "CreateLogGroup",
        "CreateLogStream",
        "DeleteLogGroup",
        "DeleteLogStream",
        "DeleteRetentionPolicy",
        "DescribeLogGroups",
        "DescribeLogStreams",
        "FilterLogEvents",
        "GetLogEvents",
        "PutLogEvents",
        "PutRetentionPolicy",
    ),
    "sts": ("GetCallerIdentity", "GetSessionToken"),
}

#: Enumerations that AWS Batch reads in any case, so that they are text here. Source: AWS Batch API, EvaluateOnExit.
FREE_TEXT = frozenset({"RetryAction"})
#: Collections that AWS Batch takes empty although the model asks for one entry.
MAY_BE_EMPTY = frozenset({"TagrisTagsMap"})

#: Values that are taken here beside those of the model: Docker's log driver that keeps nothing.
TAKEN_TOO: Mapping[str, tuple[str, ...]] = {"LogDriver": ("none",)}

IMPORTED = frozenset({"Annotated", "Int32", "Int64", "Literal", "Mapping", "Meta", "Operation", "Sequence", "Shape"})
PLAIN = {"string": "str", "boolean": "bool", "float": "float", "double": "float", "integer": "int", "long": "int"}
#: As the query protocol writes it: a text by ISO 8601.
PLAIN["timestamp"] = "str"
BOUNDED = {"integer": "Int32", "long": "Int64"}


def python_name(wire_name: str) -> str:
    """The attribute that stands for a member: `maxvCpus` is `max_vcpus`, `containerID` is `container_id`."""
    whole = wire_name.replace("vCpus", "Vcpus").replace("GiB", "Gib")
    whole = re.sub(r"([A-Z])([A-Z]+)(?![a-z])", lambda match: match[1] + match[2].lower(), whole)
    return re.sub(r"(?<!^)(?=[A-Z])", "_", whole).lower()


def camel(name: str) -> str:
    """What msgspec's `rename="camel"` makes of an attribute's name."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@dataclass(frozen=True)
class WireModel:
    """One service model, cut down to the operations taken and the shapes that they reach."""

    service: str
    model: Mapping[str, Any]
    taken: tuple[str, ...] = ()
    #: The constrained scalars that the structures turned out to need, by name.
    aliases: dict[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def operations(self) -> Mapping[str, Any]:
        """The operations taken, in the order of their names."""
        return {name: self.model["operations"][name] for name in sorted(self.taken or self.model["operations"])}

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The shapes that operations take."""
        return frozenset(operation["input"]["shape"] for operation in self.operations.values())

    @cached_property
    def outputs(self) -> frozenset[str]:
        """The shapes that operations answer with."""
        return frozenset(op["output"]["shape"] for op in self.operations.values() if "output" in op)

    @cached_property
    def asked(self) -> frozenset[str]:
        """Every shape that a request can hold: only these are checked."""
        return self._reached(self.inputs)

    @cached_property
    def structures(self) -> tuple[str, ...]:
        """Every structure, in the order of their names."""
        reached = self._reached(self.inputs | self.outputs)
        return tuple(sorted(name for name in reached if self.shape(name)["type"] == "structure"))

    def shape(self, name: str) -> Mapping[str, Any]:
        """The model's entry for a shape."""
        return self.model["shapes"][name]

    def _reached(self, roots: frozenset[str]) -> frozenset[str]:
        reached: set[str] = set()
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += self._parts(self.shape(name))
        return frozenset(reached)

    @staticmethod
    def _parts(shape: Mapping[str, Any]) -> Iterator[str]:
        for member in shape.get("members", {}).values():
            yield member["shape"]
        for part in ("member", "key", "value"):
            if part in shape:
                yield shape[part]["shape"]

    def annotation(self, name: str, *, checked: bool) -> str:
        """The Python type of a shape; with `checked`, one that refuses what the model refuses."""
        shape = self.shape(name)
        kind = shape["type"]
        if kind == "structure":
            return name
        if kind == "list":
            plain = f"Sequence[{self.annotation(shape['member']['shape'], checked=checked)}]"
        elif kind == "map":
            key = self.annotation(shape["key"]["shape"], checked=checked)
            plain = f"Mapping[{key}, {self.annotation(shape['value']['shape'], checked=checked)}]"
        elif kind in PLAIN:
            plain = BOUNDED.get(kind, PLAIN[kind]) if checked else PLAIN[kind]
        else:
            raise SystemExit(f"{self.service}: shape {name} is a {kind}, which the wire modules cannot express yet")
        if not checked:
            return plain
        constrained = self._constrained(name, shape, plain)
        if constrained == plain or kind in ("list", "map"):
            return constrained
        self.aliases[name] = constrained
        return name

    @staticmethod
    def _constrained(name: str, shape: Mapping[str, Any], plain: str) -> str:
        if "enum" in shape and name not in FREE_TEXT:
            values = (*shape["enum"], *TAKEN_TOO.get(name, ()))
            return f"Literal[{', '.join(map(repr, values))}]"
        limits: list[str] = []
        if shape["type"] in BOUNDED and ("min" in shape or "max" in shape):
            bits = 31 if shape["type"] == "integer" else 63
            limits += [f"ge={shape.get('min', -(2**bits))}", f"le={shape.get('max', 2**bits - 1)}"]
        elif shape["type"] not in BOUNDED:
            if shape.get("min") and name not in MAY_BE_EMPTY:
                limits.append(f"min_length={shape['min']}")
            if "max" in shape:
                limits.append(f"max_length={shape['max']}")
        # Unicode classes (`\p{L}`) are unknown to `re`; such a text is left to the service.
        if "pattern" in shape and r"\p{" not in shape["pattern"]:
            # The models' patterns stand for the whole text; Python searches, and its `$` would let a line end pass.
            pattern = rf"\A(?:{shape['pattern'].removeprefix('^').removesuffix('$')})\Z"
            re.compile(pattern)
            limits.append(f"pattern=r{pattern!r}".replace("\\\\", "\\"))
        return f"Annotated[{PLAIN.get(shape['type'], plain)}, Meta({', '.join(limits)})]" if limits else plain

    def structure(self, name: str) -> str:
        """The class of one structure. What only answers hold is neither required nor checked."""
        shape = self.shape(name)
        checked = name in self.asked
        lines = [f"class {name}(Shape, frozen=True, kw_only=True):"]
        for wire_name, member in shape["members"].items():
            attribute = python_name(wire_name)
            annotation = self.annotation(member["shape"], checked=checked)
            required = checked and wire_name in shape.get("required", ())
            options = [] if required else ["default=None"]
            if camel(attribute) != wire_name:
                options.append(f"name={wire_name!r}")
            value = "" if required else " = None"
            if options and options != ["default=None"]:
                value = f" = field({', '.join(options)})"
            lines.append(f"    {attribute}: {annotation}{'' if required else ' | None'}{value}")
        if len(lines) == 1:
            lines.append("    pass")
        return "\n".join(lines)

    def operation(self, name: str) -> str:
        """The table row of one operation."""
        entry = self.operations[name]
        taken = self.shape(entry["input"]["shape"])
        located = {wire_name: member.get("location") for wire_name, member in taken["members"].items()}
        fields = [
            f"name={name!r}",
            f"method={entry['http']['method']!r}",
            f"path={entry['http']['requestUri']!r}",
            f"input=requests.{entry['input']['shape']}",
        ]
        if "output" in entry:
            fields.append(f"output=responses.{entry['output']['shape']}")
        query = tuple(wire_name for wire_name, location in located.items() if location == "querystring")
        if query:
            fields.append(f"query={query!r}")
        if any(location == "header" for location in located.values()):
            raise SystemExit(f"{self.service}: {name} has header members, which the fronts do not read yet")
        fields.append(f"errors={tuple(error['shape'] for error in entry.get('errors', ()))!r}")
        return f"    {name!r}: Operation({', '.join(fields)}),"

    def modules(self) -> dict[str, str]:
        """The text of each module by its file name, not yet formatted."""
        clash = IMPORTED & set(self.structures)
        if clash:
            raise SystemExit(f"{self.service}: the shapes {sorted(clash)} have names that the modules import")
        groups = {
            "requests": [name for name in self.structures if name in self.inputs],
            "responses": [name for name in self.structures if name in self.outputs - self.inputs],
            "structures": [name for name in self.structures if name not in self.inputs | self.outputs],
        }
        bodies = {module: "\n\n\n".join(map(self.structure, names)) for module, names in groups.items() if names}
        # Last, since the structures above tell which are needed.
        bodies["scalars"] = "\n".join(f"{name}: TypeAlias = {self.aliases[name]}" for name in sorted(self.aliases))
        rows = "\n".join(map(self.operation, self.operations))
        bodies["operations"] = f"OPERATIONS: Mapping[str, Operation] = {{\n{rows}\n}}"
        texts = {f"{name}.py": self._module(name, body, groups["structures"]) for name, body in bodies.items() if body}
        return {"__init__.py": f'"""{self._title("The API")}"""\n', **texts}

    def _title(self, what: str) -> str:
        metadata = self.model["metadata"]
        origin = f"{metadata['serviceFullName']}, API version {metadata['apiVersion']}"
        return f"{what} of {origin}.\n\nGenerated by tools/generate_wire.py: do not edit.\n"

    def _module(self, name: str, body: str, structures: list[str]) -> str:
        """A module around `body`, with the imports that the body needs."""

        def import_from(module: str, names: Iterable[str]) -> list[str]:
            found = [name for name in names if re.search(rf"(?<![\w.]){name}(?!\w)", body)]
            return [f"from {module} import {', '.join(found)}"] if found else []

        package = f"longshore.api.aws.{self.service}.wire"
        own: Mapping[str, dict[str, Iterable[str]]] = {
            "operations": {package: ["requests", "responses"]},
            "structures": {f"{package}.scalars": self.aliases},
            "requests": {f"{package}.scalars": self.aliases, f"{package}.structures": structures},
            "responses": {f"{package}.scalars": self.aliases, f"{package}.structures": structures},
        }
        imported: dict[str, Iterable[str]] = {
            "collections.abc": ["Mapping", "Sequence"],
            "typing": ["Annotated", "Literal", "TypeAlias"],
            "msgspec": ["Meta", "field"],
            "longshore.api.aws.shape": ["Int32", "Int64", "Operation", "Shape"],
            **own.get(name, {}),
        }
        lines = [f'"""{self._title(name.capitalize())}"""', ""]
        if "Shape," in body:
            # Structures may name each other in any order.
            lines.append("from __future__ import annotations")
        for module, names in imported.items():
            lines += import_from(module, names)
        return "\n".join([*lines, "", "", body, ""])


def formatted(text: str, path: Path) -> str:
    """`text` as the project's formatter and import order leave it at `path`."""
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--quiet", "--fix-only", "--select=I"], ["format"]):
        whole = [ruff, *command, "--config", ROOT / "pyproject.toml", "--stdin-filename", path, "-"]
        text = subprocess.run(whole, input=text, capture_output=True, text=True, check=True).stdout
    return text


def entries(text: str) -> dict[str, str]:
    """What a generated module declares: class, member, alias or operation to what it is declared as."""
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = "a structure"
            for member in node.body:
                if isinstance(member, ast.AnnAssign):
                    found[f"{node.name}.{ast.unparse(member.target)}"] = ast.unparse(member).partition(": ")[2]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                found[f"operation {ast.literal_eval(key) if key else '**'}"] = ast.unparse(value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found[ast.unparse(node.target)] = ast.unparse(node.value)
    return found


def differences(old: str, new: str) -> list[str]:
    """What a module would gain, lose and change, one line each; the members of a new structure are not told apart."""
    before, after = entries(old), entries(new)
    lines = [f"+ {name}: {after[name]}" for name in after if name not in before]
    lines += [f"- {name}" for name in before if name not in after]
    lines += [
        f"~ {name}: {before[name]} -> {after[name]}" for name in after if before.get(name, after[name]) != after[name]
    ]
    return [line for line in lines if line[0] == "~" or not _is_part_of_listed(line, lines)]


def _is_part_of_listed(line: str, lines: list[str]) -> bool:
    """Whether `line` is on a member of a structure that came or went as a whole."""
    structure, dot, _ = line.partition(":")[0].partition(".")
    return bool(dot) and any(other.partition(":")[0] == structure for other in lines)


def main() -> int:
    """Write the modules, or with `--check` compare them; 1 when they differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; sum up the differences and fail on any")
    check = parser.parse_args().check
    stale = 0
    loader = cast(Any, Loader())
    for service, taken in SERVICES.items():
        wire = WireModel(service, loader.load_service_model(service, "service-2"), taken)
        for file, text in wire.modules().items():
            path = TARGET / service / "wire" / file
            text = formatted(text, path)
            old = path.read_text() if path.exists() else ""
            if old == text:
                continue
            stale += 1
            if check:
                print(f"{path.relative_to(ROOT)} differs from botocore {botocore.__version__}:")
                print("\n".join(f"  {line}" for line in differences(old, text) or ["only in its form"]))
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                print(f"wrote {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
