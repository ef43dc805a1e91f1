"""Generated pages of docs/: written, or with --check only compared with what is there."""

import argparse
import difflib
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def write_page(name: str, new: str, *, description: str | None) -> None:
    """Write the page; with --check, print what differs instead, and exit with 1 if anything does."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true")
    page = DOCS / name
    if not parser.parse_args().check:
        page.write_text(new)
        return
    old = page.read_text() if page.exists() else ""
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "is", "should be"))
    sys.exit(old != new)
