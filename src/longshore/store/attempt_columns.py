"""Columns that attempts and parts have both, and what stands in them."""

from longshore.domain.job import Attempt
from longshore.store.codec import INTENT_TEXTS, encode_list, to_ms_or_none
from longshore.store.statements import Row

#: What becomes of one.
CHANGING = (
    *("intent", "handle", "started_at", "started_boot_id", "started_boot_seconds", "stopped_at", "exit_code"),
    *("reason", "status_reason", "cpu_seconds", "peak_memory_bytes", "peak_scratch_bytes"),
)


def held(a: Attempt) -> Row:
    """What it holds: host, amounts, and the names of GPUs."""
    gpu_names = encode_list(a.gpu_names) if a.gpu_names else None
    return a.host_id, *a.resources.amounts, gpu_names


def changing(a: Attempt) -> Row:
    """Values of `CHANGING`."""
    return (
        INTENT_TEXTS[a.intent],
        a.handle,
        to_ms_or_none(a.started_at),
        a.started_boot_id,
        a.started_boot_seconds,
        to_ms_or_none(a.stopped_at),
        a.exit_code,
        a.reason,
        a.status_reason,
        a.cpu_seconds,
        a.peak_memory_bytes,
        a.peak_scratch_bytes,
    )
