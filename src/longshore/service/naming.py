"""Names and tags that callers choose: what they may be made of. Source: AWS Batch API, tagging and name constraints."""

import re
from collections.abc import Collection, Mapping

from longshore.service.refusals import invalid

MOST_TAGS = 50
#: Names with this prefix are powers of our own, see `powers`.
ENGINE_TAG = "longshore:engine"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_TAG_TEXT = re.compile(r"[\w +\-=.:/@]*")


def check_name(name: str, what: str) -> None:
    """Raises InvalidRequest unless `name` may name a definition, environment or queue."""
    if not _NAME.fullmatch(name):
        raise invalid(f"{what} name should match valid pattern: 1 to 128 letters, digits, hyphens and underscores")


def check_job_name(name: str) -> None:
    """Raises InvalidRequest unless `name` may name a job."""
    if not _JOB_NAME.fullmatch(name):
        raise invalid("Job name should match valid pattern")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises InvalidRequest unless all of `tags` may be set together."""
    if len(tags) > MOST_TAGS:
        raise invalid(f"A resource cannot have more than {MOST_TAGS} tags")
    check_tag_keys(tags)
    for value in tags.values():
        if value[:4].lower() == "aws:":
            raise invalid("Tag values cannot start with aws:")
        if len(value) > 256 or not _TAG_TEXT.fullmatch(value):
            raise invalid("Tag values should be up to 256 letters, digits, spaces and + - = . _ : / @")


def check_tag_keys(keys: Collection[str]) -> None:
    """Raises InvalidRequest unless callers may set and remove tags under `keys`."""
    for key in keys:
        if key[:4].lower() == "aws:":
            raise invalid("Tag keys cannot start with aws:")
        if not 1 <= len(key) <= 128 or not _TAG_TEXT.fullmatch(key):
            raise invalid("Tag keys should be 1 to 128 letters, digits, spaces and + - = . _ : / @")
