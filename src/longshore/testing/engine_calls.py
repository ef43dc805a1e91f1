"""Calls of the engine port as the contract makes them: for one attempt."""

from longshore.ports.engine import EngineDriver, Handle, LaunchFailed, LaunchSpec, Observation


def accepted(outcome: Handle | LaunchFailed) -> Handle:
    """The handle of a launch that was accepted."""
    assert isinstance(outcome, Handle), outcome
    return outcome


async def launched(driver: EngineDriver, spec: LaunchSpec) -> Handle:
    """The handle of one launch, accepted."""
    (outcome,) = await driver.launch([spec])
    return accepted(outcome)


async def observed(driver: EngineDriver, handle: Handle) -> Observation:
    """The one observation of an attempt."""
    (seen,) = await driver.observe([handle])
    assert seen.attempt_id == handle.attempt_id
    return seen


async def output(driver: EngineDriver, spec: LaunchSpec, handle: Handle) -> bytes:
    """All output of the attempt that is readable now."""
    if driver.capabilities().writes_log_files:
        path = spec.container.log_path
        return path.read_bytes() if path.exists() else b""
    chunks = [chunk async for chunk in driver.read_logs(handle, cursor="")]
    return b"".join(chunk.data for chunk in chunks)
