"""What the jobs of the demo compute: figures of Python source files.

    python -m demo.measure share      child of an array job: measures its share of the files
    python -m demo.measure condense   child of an array job: condenses the same share
    python -m demo.measure report     adds up all shares

Shares and results are files in the folder that DEMO_FOLDER names.
"""

import ast
import io
import json
import os
import sys
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

#: What the condensing step keeps of each share, and the report adds up.
FIGURES = ("files", "lines", "comments", "functions", "classes", "branches", "docstrings")
_BRANCHES = (ast.If, ast.For, ast.While, ast.Try, ast.With, ast.IfExp, ast.BoolOp, ast.comprehension)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LEFT_OUT = frozenset({"test", "tests", "site-packages", "idlelib", "lib2to3", "__pycache__"})
#: Exit code of the fault that one child shows on its first attempt, for the retry strategy to catch.
TRANSIENT_FAULT = 75


def source_files() -> list[Path]:
    """The standard library's source files, without tests, in a fixed order."""
    root = Path(sysconfig.get_path("stdlib"))
    return sorted(path for path in root.rglob("*.py") if not _LEFT_OUT.intersection(path.relative_to(root).parts))


def measure(path: Path) -> dict[str, int]:
    """The figures of one file."""
    data = path.read_bytes()
    tree = ast.parse(data)
    nodes = list(ast.walk(tree))
    documented = [node for node in nodes if isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS))]
    tokens = tokenize.tokenize(io.BytesIO(data).readline)
    return {
        "files": 1,
        "lines": data.count(b"\n"),
        "comments": sum(token.type == tokenize.COMMENT for token in tokens),
        "functions": sum(isinstance(node, _FUNCTIONS) for node in nodes),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
        "branches": sum(isinstance(node, _BRANCHES) for node in nodes),
        "docstrings": sum(ast.get_docstring(node, clean=False) is not None for node in documented),
    }


def total(figures: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of each figure."""
    sums: Counter[str] = Counter()
    for each in figures:
        sums.update(each)
    return {name: sums[name] for name in FIGURES}


def main(step: str) -> int:
    """Do one step as a job of the service: the place in the array comes from the variables that AWS Batch sets."""
    folder = Path(os.environ["DEMO_FOLDER"])
    if step == "report":
        shares = [json.loads(path.read_text()) for path in sorted(folder.glob("condensed-*.json"))]
        (folder / "report.json").write_text(json.dumps(total(shares)))
        print(f"added up {len(shares)} shares")
        return 0
    index, size = int(os.environ["AWS_BATCH_JOB_ARRAY_INDEX"]), int(os.environ["AWS_BATCH_JOB_ARRAY_SIZE"])
    if step == "condense":
        figures = json.loads((folder / f"share-{index}.json").read_text())
        (folder / f"condensed-{index}.json").write_text(json.dumps(total(figures.values())))
        return 0
    if index == 3 and os.environ["AWS_BATCH_JOB_ATTEMPT"] == "1":
        print("a passing fault, for the retry strategy to catch")
        return TRANSIENT_FAULT
    files = source_files()[index::size]
    (folder / f"share-{index}.json").write_text(json.dumps({str(path): measure(path) for path in files}))
    print(f"measured {len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
