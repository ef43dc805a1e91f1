"""Which engine an environment has: the one that its tag names, else the one that the server chooses."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from longshore.service.naming import ENGINE_TAG
from longshore.service.refusals import invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """`names` are engines that an environment may choose; `resolve` chooses for one that does not."""

    names: Collection[str]
    resolve: Callable[[], Awaitable[str]]

    async def choose(self, tags: Mapping[str, str]) -> str:
        """The engine of a new environment with these tags. Raises InvalidRequest when there is no such engine."""
        engine = tags.get(ENGINE_TAG)
        if engine is None:
            return await self.resolve()
        if engine not in self.names:
            raise invalid(f"There is no engine {engine}; the tag {ENGINE_TAG} may be {', '.join(sorted(self.names))}")
        return engine
