"""The duties of the store port as a test class. A store's test file subclasses it and gives the fixtures.

class TestPostgresStore(StoreContract):
    @pytest.fixture
    async def store(self, ...) -> AsyncIterator[Store]: ...      # open and empty; closed afterwards
    @pytest.fixture
    def reopen(self, store, ...) -> Reopen: ...                  # closes it, opens another on what it left
"""

from longshore.testing.store_contract.control import ControlContract
from longshore.testing.store_contract.jobs import JobContract
from longshore.testing.store_contract.keys import KeyContract
from longshore.testing.store_contract.listing import ListingContract
from longshore.testing.store_contract.resources import ResourceContract
from longshore.testing.store_contract.sharing import SharingContract
from longshore.testing.store_contract.work import Reopen, WorkContract

__all__ = ["Reopen", "StoreContract"]


class StoreContract(
    ResourceContract, JobContract, ListingContract, ControlContract, SharingContract, WorkContract, KeyContract
):
    """What every store must do, whatever it keeps its rows in."""
