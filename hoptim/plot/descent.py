"""Who descends from whom: the order in which a family tree's lines do not cross."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hoptim.plot.history import Floats, History, Mask, Rows

_BRANCHES = 400  # more of them in one picture hide each other


@dataclass(frozen=True, eq=False)
class Descent:
    """Ancestry of all trials; row i of every array is the history's trial i."""

    history: History

    @cached_property
    def least(self) -> int:
        """How many steps a branch must have lasted to be shown, so that not too many are."""
        lasted = np.sort(self._branches[1])[::-1]
        return 0 if len(lasted) <= _BRANCHES else int(min(lasted[_BRANCHES] + 1, lasted[0]))

    @cached_property
    def shown(self) -> Mask:
        """Mask `(n,)` of the chosen line and the branches that lasted longest."""
        return (self.lasted >= self.least) | self._chosen

    @cached_property
    def survivors(self) -> Mask:
        """Mask `(n,)` of the members' latest trials."""
        return self._mask(self.history.latest)

    @cached_property
    def alive(self) -> Rows:
        """How many survivors each trial has among its descendants and itself `(n,)`."""
        alive = self.survivors.astype(np.int64)
        for row, parent in self._upwards():
            alive[parent] += alive[row]
        return alive

    @cached_property
    def families(self) -> list[int]:
        """Founders that have survivors, those with most first."""
        founders = np.flatnonzero((self.history.parent < 0) & (self.alive > 0)).tolist()
        return sorted(founders, key=lambda row: (-self.alive[row], row))

    @cached_property
    def lasted(self) -> Rows:
        """How many steps the branch of each trial lasted `(n,)`.

        A branch goes from child to child, to the one whose descendants reach furthest; it begins where
        it leaves another branch.
        """
        return self._last - self.history.step[self._branches[0]]

    @cached_property
    def _branches(self) -> tuple[Rows, Rows]:
        """Row where the branch of each trial began `(n,)`, and how many steps each branch lasted `(b,)`."""
        parent, last = self.history.parent.tolist(), self._last.tolist()
        heir: dict[int, int] = {}
        for row, above in self._upwards():
            if above not in heir or last[row] >= last[heir[above]]:
                heir[above] = row
        began = list(range(len(parent)))
        heads = []
        for row, above in enumerate(parent):
            if above >= 0 and heir[above] == row:
                began[row] = began[above]
            else:
                heads.append(row)
                began[row] = row if above < 0 else above
        begins = np.array(began)
        return begins, (self._last - self.history.step[begins])[heads]

    @cached_property
    def position(self) -> Floats:
        """Height of each trial `(n,)`: its place among those shown of its step, the chosen line's first.

        Places follow the depth-first order of the whole forest, in which the descendants of one trial
        stay together, so lines from one step to the next never cross. Lineages that last lie next
        to the chosen one, those that soon die out beyond. NaN where it is not shown.
        """
        step = self.history.step
        order = np.lexsort((self._depth_first(), step))
        order = order[self.shown[order]]
        _, starts, counts = np.unique(step[order], return_index=True, return_counts=True)
        position = np.full(len(step), np.nan)
        position[order] = np.arange(len(order)) - np.repeat(starts, counts)
        return position

    def _depth_first(self) -> Rows:
        """Place of each trial `(n,)` in the depth-first order of the forest."""
        children: list[list[int]] = [[] for _ in range(len(self.history) + 1)]  # founders' are last
        for row in np.lexsort((self._last, self.alive > 0, self._chosen)).tolist():
            children[self.history.parent[row]].append(row)  # the first to be drawn ends up last
        order = np.empty(len(self.history), dtype=np.int64)
        stack = children[-1]
        for place in range(len(order)):
            row = stack.pop()
            order[row] = place
            stack += children[row]
        return order

    @cached_property
    def _chosen(self) -> Mask:
        return self._mask(self.history.line)

    @cached_property
    def _last(self) -> Rows:
        """The last step that each trial's descendants have reached `(n,)`."""
        last = self.history.step.copy()
        for row, parent in self._upwards():
            last[parent] = max(last[parent], last[row])
        return last

    def _mask(self, rows: Rows) -> Mask:
        mask = np.zeros(len(self.history), dtype=bool)
        mask[rows] = True
        return mask

    def _upwards(self) -> list[tuple[int, int]]:
        """Trials with parents, and their rows; children before parents."""
        pairs = enumerate(self.history.parent.tolist())
        return [(row, parent) for row, parent in pairs if parent >= 0][::-1]
