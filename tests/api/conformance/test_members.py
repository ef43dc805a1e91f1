"""Every member of every input reaches the service: leaving it out changes what comes of the request."""

import pytest

from tests.api.conformance.coverage import declared
from tests.api.conformance.evidence import proven_members, tops
from tests.api.conformance.gaps import GAPS, NOT_BUILT, note_members
from tests.api.conformance.model import OPERATIONS, members
from tests.api.conformance.wire import Wire


@pytest.mark.timeout(180)
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in NOT_BUILT])
def test_members_reach_the_service(wire: Wire, operation: str) -> None:
    """All but those that are listed as gaps, and those of which nothing is kept."""
    excused = {each.path for each in members(operation) if declared(each, "refused") or declared(each, "not_kept")}
    unproven = tops(operation, members(operation), proven_members(wire, operation) | excused)
    listed = sorted(name for name in GAPS["members"] if name.partition(".")[0] == operation)
    note_members("members", listed, unproven)
    assert unproven == listed, "left out, what is on the left makes no difference; what is on the right is listed"
