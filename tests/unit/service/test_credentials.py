"""Which secret belongs to a key or a session, and whether it still counts."""

from datetime import timedelta
from pathlib import Path

import pytest

from longshore.domain.errors import AccessDenied, NotFound
from longshore.sealing import FileSealer
from longshore.service.credentials import CredentialDesk, ExpiredSession, UnknownKey
from longshore.service.keys import NewKey, create_key, delete_key, list_keys, switch_key
from longshore.store.sqlite import InlineStore
from longshore.testing.clock import VirtualClock

SERVERS_ACCOUNT = "000000000000"


class Office:
    """A desk, and what it works on."""

    def __init__(self, folder: Path) -> None:
        self.store = InlineStore()
        self.clock = VirtualClock()
        self.sealer = FileSealer(folder)
        self.desk = CredentialDesk(self.store, self.sealer, self.clock, account_id=SERVERS_ACCOUNT)

    async def make(self, account_id: str | None = None, *actions: str) -> NewKey:
        await self.store.open()
        return await create_key(self.store, self.sealer, self.clock, name=None, account_id=account_id, actions=actions)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.anyio
async def test_a_key_has_its_secret_account_and_actions(office: Office) -> None:
    made = await office.make("111122223333", "batch:*")
    found = await office.desk.find(made.access_key_id, None)
    assert found.secret == made.secret_access_key
    assert found.principal.account_id == "111122223333"
    assert found.principal.actions == ("batch:*",)
    assert found.principal.arn == f"arn:aws:iam::111122223333:user/{made.access_key_id}"
    assert len(made.access_key_id) == 20
    assert len(made.secret_access_key) == 40


@pytest.mark.anyio
async def test_a_key_without_account_and_actions_has_the_servers_and_all(office: Office) -> None:
    made = await office.make()
    principal = (await office.desk.find(made.access_key_id, None)).principal
    assert (principal.account_id, principal.actions) == (SERVERS_ACCOUNT, None)


@pytest.mark.anyio
async def test_no_secret_is_stored_in_the_clear(office: Office) -> None:
    made = await office.make()
    assert made.secret_access_key.encode() not in office.store.image()
    assert made.access_key_id.encode() in office.store.image()
    assert made.secret_access_key not in str(await list_keys(office.store))


@pytest.mark.anyio
async def test_a_key_is_refused_while_it_is_disabled_and_when_it_is_gone(office: Office) -> None:
    key_id = (await office.make()).access_key_id
    await switch_key(office.store, key_id, is_enabled=False)
    assert not await office.desk.has_usable_key()
    with pytest.raises(UnknownKey):
        await office.desk.find(key_id, None)
    await switch_key(office.store, key_id, is_enabled=True)
    assert await office.desk.has_usable_key()
    assert await office.desk.find(key_id, None)
    await delete_key(office.store, key_id)
    with pytest.raises(UnknownKey):
        await office.desk.find(key_id, None)
    for work in (delete_key(office.store, key_id), switch_key(office.store, key_id, is_enabled=True)):
        with pytest.raises(NotFound):
            await work


@pytest.mark.anyio
async def test_a_session_lasts_until_its_end_or_that_of_its_key(office: Office) -> None:
    made = await office.make("111122223333", "batch:SubmitJob")
    principal = (await office.desk.find(made.access_key_id, None)).principal
    session = await office.desk.lend(principal, timedelta(hours=1))
    found = await office.desk.find(session.key_id, session.token)
    assert found.secret == session.secret
    assert found.principal.is_temporary
    assert (found.principal.key_id, found.principal.arn) == (made.access_key_id, principal.arn)
    assert found.principal.actions == ("batch:SubmitJob",)
    with pytest.raises(AccessDenied, match="with session credentials"):
        await office.desk.lend(found.principal, timedelta(hours=1))
    await switch_key(office.store, made.access_key_id, is_enabled=False)
    with pytest.raises(UnknownKey):
        await office.desk.find(session.key_id, session.token)
    await switch_key(office.store, made.access_key_id, is_enabled=True)
    await office.clock.advance(3600)
    with pytest.raises(ExpiredSession):
        await office.desk.find(session.key_id, session.token)


@pytest.mark.anyio
async def test_a_token_is_good_for_its_own_key_alone(office: Office) -> None:
    made = await office.make()
    principal = (await office.desk.find(made.access_key_id, None)).principal
    session = await office.desk.lend(principal, timedelta(hours=1))
    other = await office.desk.lend(principal, timedelta(hours=1))
    for key_id, token in [
        (made.access_key_id, session.token),
        (session.key_id, other.token),
        (session.key_id, "1.AAAA"),
        (session.key_id, ""),
        (session.key_id, None),
        (session.key_id, office.sealer.seal(b"[1]", purpose="session token")),
    ]:
        with pytest.raises(UnknownKey):
            await office.desk.find(key_id, token)
