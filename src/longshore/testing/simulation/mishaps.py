"""What befalls the machines and the set-up in the course of a run."""

from collections.abc import Callable
from functools import partial

from longshore.domain.environment import State
from longshore.testing.simulation.loop import LoopClock
from longshore.testing.simulation.scenario import Scenario
from longshore.testing.simulation.site import RecordingSite


class Mishaps:
    """All of a scenario's, each at its time."""

    def __init__(
        self,
        scenario: Scenario,
        site: RecordingSite,
        clock: LoopClock,
        *,
        note: Callable[[str], None],
        take_over: Callable[[], None],
        reboot: Callable[[], None],
        set_state: Callable[[str, State], None],
    ) -> None:
        """`take_over` starts another server beside the present one, `reboot` boots the machine with all that is on it,
        `set_state` sets the state of an environment.
        """
        self._scenario = scenario
        self._site = site
        self._clock = clock
        self._note = note
        self._take_over = take_over
        self._reboot = reboot
        self._set_state = set_state

    async def happen(self) -> None:
        """Let them happen; returns behind the last."""
        scenario = self._scenario
        mishaps: list[tuple[float, str, Callable[[], None]]] = [
            *(
                (at, f"host {host_id} is lost", partial(self._site.lose_host, host_id))
                for at, host_id in scenario.host_losses
            ),
            *((at, f"the wall clock jumps by {by}", partial(self._jump_wall, by)) for at, by in scenario.wall_jumps),
            *((at, "another server takes over", self._take_over) for at in scenario.takeovers),
            *((at, "the machine boots", self._reboot) for at in scenario.reboots),
        ]
        for number, (at, engine) in enumerate(scenario.strays):
            mishaps.append((at, f"a stray turns up at {engine}", partial(self._site.turn_up, number, engine)))
        for name, (disabled_at, enabled_at) in scenario.disabled_environments.items():
            mishaps.append((disabled_at, f"{name} is disabled", partial(self._set_state, name, "DISABLED")))
            mishaps.append((enabled_at, f"{name} is enabled", partial(self._set_state, name, "ENABLED")))
        for at, text, act in sorted(mishaps, key=lambda mishap: mishap[0]):
            await self._clock.sleep(at - self._clock.boot_seconds())
            self._note(text)
            act()

    def _jump_wall(self, seconds: float) -> None:
        self._site.catch_up()
        self._clock.jump_wall(seconds)
