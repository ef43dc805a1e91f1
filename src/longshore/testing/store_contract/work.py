"""Units of work: whole or not at all, in order, and for good."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from longshore.domain.errors import NotFound, StoreUnavailable
from longshore.ports.store import Store, Transaction
from longshore.testing.job_builders import A_SCOPE, a_job, an_environment
from longshore.testing.store_contract.jobs import described, submitted

#: Closes the present store and returns another, opened on what it left.
Reopen = Callable[[], Awaitable[Store]]


class Mishap(Exception):
    """Something went wrong in the middle."""


async def reasons_of(store: Store, *class_ids: str) -> dict[str, str]:
    """Small rows that these tests write."""
    return dict(await store.read(lambda reader: reader.class_reasons(class_ids)))


@pytest.mark.anyio
class WorkContract:
    """What a write and a read promise."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def reopen(self) -> Reopen:
        raise NotImplementedError

    async def test_write_answers_what_the_work_returned(self, store: Store) -> None:
        """Once it is done, every read sees it."""
        assert await store.write(lambda tx: (tx.publish_class_reasons({"a": "x"}), "answer")[1]) == "answer"
        assert await reasons_of(store, "a") == {"a": "x"}

    @pytest.mark.parametrize("error", [Mishap("oh"), NotFound("no such thing"), KeyError("k")])
    async def test_failed_work_leaves_no_trace(self, store: Store, error: Exception) -> None:
        """What it raises comes out as it is, and nothing it wrote stays, keys included."""

        def work(tx: Transaction) -> None:
            a_job().stored(tx)
            tx.put_environment(an_environment())
            raise error

        before = await store.write(lambda tx: tx.allocate_keys(1))
        with pytest.raises(type(error)) as caught:
            await store.write(work)
        assert caught.value is error
        assert await store.read(lambda reader: reader.environments(None)) == []
        assert await store.read(lambda reader: reader.submitted_jobs(10)) == []
        assert await store.write(lambda tx: tx.allocate_keys(1)) == before + 1

    async def test_exhausted_iterator_is_an_error_like_others(self, store: Store) -> None:
        """No future can hold StopIteration; its caller gets an answer even so, and so do those who come after it."""

        def work(tx: Transaction) -> str:
            return next(iter(tx.class_reasons(["none"]).values()))

        later = store.write(lambda tx: "answer")
        answers = await asyncio.gather(store.write(work), later, return_exceptions=True)
        assert isinstance(answers[0], RuntimeError)
        assert answers[1] == "answer"

    async def test_failed_work_takes_no_other_with_it(self, store: Store) -> None:
        """Of many that share a commit, those that fail are undone alone."""

        def work(tx: Transaction, number: int) -> int:
            tx.publish_class_reasons({f"{number}": "x"})
            if number % 3 == 0:
                raise Mishap(number)
            if number % 3 == 1:
                tx.insert_attempts([])
                tx.publish_class_reasons({"shared": f"{number}"})
            return number

        writes = (store.write(lambda tx, number=number: work(tx, number)) for number in range(50))
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert [answer if isinstance(answer, int) else None for answer in answers] == [
            number if number % 3 else None for number in range(50)
        ]
        found = await reasons_of(store, "shared", *map(str, range(50)))
        assert found == {"shared": "49"} | {str(number): "x" for number in range(50) if number % 3}

    async def test_work_that_breaks_a_rule_of_the_schema_is_undone_alone(self, store: Store) -> None:
        """Its first half, too."""
        (spec,) = await submitted(store, a_job().named("first"))

        def twice(tx: Transaction) -> None:
            tx.publish_class_reasons({"a": "x"})
            tx.insert_job(a_job(spec.uuid).new(tx.allocate_keys(1)))

        good = store.write(lambda tx: tx.publish_class_reasons({"b": "y"}))
        answers = await asyncio.gather(store.write(twice), good, return_exceptions=True)
        assert isinstance(answers[0], Exception)
        assert not isinstance(answers[0], StoreUnavailable)
        assert await reasons_of(store, "a", "b") == {"b": "y"}

    async def test_works_are_done_in_the_order_they_came(self, store: Store) -> None:
        """Each sees what those before it wrote."""

        def work(tx: Transaction, number: int) -> str:
            seen = tx.class_reasons(["last"]).get("last", "")
            tx.publish_class_reasons({"last": f"{seen}{number}"})
            return seen

        answers = await asyncio.gather(*(store.write(lambda tx, n=n: work(tx, n)) for n in range(5)))
        assert answers == ["", "0", "01", "012", "0123"]

    async def test_key_of_undone_job_goes_to_another(self, store: Store) -> None:
        """Nothing of the first is remembered, not even by caches."""

        def work(tx: Transaction, name: str) -> int:
            spec = a_job().named(name).stored(tx)
            assert tx.load_jobs([spec.key])[spec.key].spec.name == name
            if name == "undone":
                raise Mishap(spec.key)
            return spec.key

        with pytest.raises(Mishap) as caught:
            await store.write(lambda tx: work(tx, "undone"))
        key = await store.write(lambda tx: work(tx, "kept"))
        assert caught.value.args == (key,)
        (view,) = await described(store, key)
        assert view.job.spec.name == "kept"

    async def test_answered_writes_are_there_after_reopening(self, store: Store, reopen: Reopen) -> None:
        """With all that belongs to them; counting goes on where it was."""
        (spec,) = await submitted(store, a_job().array(3).tagged(a="1"))
        await store.write(lambda tx: tx.claim_leadership())
        views = await described(store, spec.key, spec.child_key(2))
        again = await reopen()
        assert await described(again, spec.key, spec.child_key(2)) == views
        assert await again.write(lambda tx: tx.allocate_keys(1)) == spec.last_key + 1
        assert await again.write(lambda tx: tx.claim_leadership()) == 2

    async def test_closed_store_refuses(self, store: Store) -> None:
        """What was accepted before is finished; closing twice is quiet."""
        accepted = [asyncio.create_task(store.write(lambda tx: tx.allocate_keys(1))) for _ in range(20)]
        await asyncio.sleep(0)
        await store.close()
        assert len({await write for write in accepted}) == 20
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.write(lambda tx: tx.allocate_keys(1))
        with pytest.raises(StoreUnavailable):
            await store.read(lambda reader: reader.epoch())

    async def test_environment_of_a_scope_survives_reopening(self, store: Store, reopen: Reopen) -> None:
        """Documents are read by the next version as this one wrote them."""
        environment = an_environment(tags={"a": "b"})
        await store.write(lambda tx: tx.put_environment(environment))
        again = await reopen()
        assert await again.read(lambda reader: reader.environment(A_SCOPE, environment.name)) == environment
