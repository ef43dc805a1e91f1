"""Refusals in the forms that clients of AWS Batch know."""

from longshore.domain.errors import InvalidRequest


def invalid(text: str) -> InvalidRequest:
    """A validation failure in the envelope that AWS Batch puts around most of them."""
    return InvalidRequest(text, wrapped=True)


def not_built(what: str) -> InvalidRequest:
    """A part of the API that is refused rather than half accepted."""
    return InvalidRequest(f"{what} is not built yet in this version of Longshore")


def check_size(size_bytes: int, *, limit_kib: int, what: str) -> None:
    """Raises InvalidRequest for what is larger than `limit_kib`."""
    if size_bytes > limit_kib * 1024:
        raise invalid(f"{what} size must be less than {limit_kib} KiB, got {-(-size_bytes // 1024)} KiB")
