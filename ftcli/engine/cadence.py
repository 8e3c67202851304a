"""When a run's state is kept between the ends of its epochs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Cadence:
    """Every so many optimizer steps, or minutes, since it was last kept: no more than that is ever done twice."""

    every_steps: int | None = None
    every_minutes: float | None = None
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    steps: int = field(default=0, init=False)
    """Taken since the state was kept; 0: there is nothing new to keep."""
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The state is kept, or the work begins."""
        self.steps, self._since = 0, self.clock()

    def step(self) -> bool:
        """Count a step; True when the state is to be kept after it."""
        self.steps += 1
        return self._by_steps() or self._by_time()

    def _by_steps(self) -> bool:
        return self.every_steps is not None and self.steps >= self.every_steps

    def _by_time(self) -> bool:
        return self.every_minutes is not None and self.clock() - self._since >= 60 * self.every_minutes
