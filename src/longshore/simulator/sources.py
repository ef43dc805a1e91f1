"""Files that traces are read from."""

import gzip
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from longshore.simulator.history import read_history
from longshore.simulator.models import MODELS
from longshore.simulator.swf import read_swf
from longshore.simulator.trace import Trace, TraceRefused

#: By what the name of a file ends in, `.gz` aside.
_READERS: Mapping[str, Callable[[str, Iterable[str]], Trace]] = {".swf": read_swf, ".jsonl": read_history}


def read_trace(path: Path) -> Trace:
    """The trace in a file, gzipped or not.

    Raises:
        TraceRefused: there is no such file, its name does not say what it is, or what stands in it is not that.
    """
    is_packed = path.suffix == ".gz"
    read = _READERS.get(Path(path.stem).suffix if is_packed else path.suffix)
    if read is None:
        kinds = " or ".join(_READERS)
        raise TraceRefused(
            f"{path} is no trace: its name has to end in {kinds}, with .gz behind it if it is packed; "
            f"models are {' and '.join(MODELS)}"
        )
    try:
        opened = gzip.open if is_packed else open
        with opened(path, "rt", encoding="utf-8", errors="replace") as lines:
            return read(path.name, lines)
    except (OSError, EOFError) as problem:
        raise TraceRefused(f"{path} can't be read: {problem}") from problem
