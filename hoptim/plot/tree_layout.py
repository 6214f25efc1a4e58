"""Layout of a family tree: the order of trials in which its lines do not cross."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hoptim.analysis.trial_table import Floats, Mask, Rows, TrialTable

_BRANCHES = 400  # more of them in one picture hide each other


@dataclass(frozen=True, eq=False)
class TreeLayout:
    """Branches of a family tree and their places; row i of every array is the table's trial i.

    A branch goes from child to child, always to the one whose descendants reach furthest, and begins
    where it leaves another branch.

    Attributes:
        table: All trials.
    """

    table: TrialTable

    @cached_property
    def min_length(self) -> int:
        """Return the steps that a branch must span to be shown, so that at most `_BRANCHES` are."""
        lengths = np.sort(self._branches[1])[::-1]
        return 0 if len(lengths) <= _BRANCHES else int(min(lengths[_BRANCHES] + 1, lengths[0]))

    @cached_property
    def shown(self) -> Mask:
        """Return a mask `(n,)` of the highlighted line and the longest branches."""
        return (self.length >= self.min_length) | self._highlighted

    @cached_property
    def survivors(self) -> Mask:
        """Return a mask `(n,)` of the members' latest trials."""
        return self._mask(self.table.latest)

    @cached_property
    def alive(self) -> Rows:
        """Count the survivors among each trial and its descendants `(n,)`."""
        alive = self.survivors.astype(np.int64)
        for row, parent in self._upwards():
            alive[parent] += alive[row]
        return alive

    @cached_property
    def founders(self) -> list[int]:
        """Return the rows of founders with survivors, those with most first."""
        founders = np.flatnonzero((self.table.parent < 0) & (self.alive > 0)).tolist()
        return sorted(founders, key=lambda row: (-self.alive[row], row))

    @cached_property
    def length(self) -> Rows:
        """Return the steps from the start of each trial's branch to its last descendant `(n,)`."""
        return self._last - self.table.step[self._branches[0]]

    @cached_property
    def _branches(self) -> tuple[Rows, Rows]:
        """Return the row where each trial's branch begins `(n,)`, and the steps of each branch `(b,)`."""
        parent, last = self.table.parent.tolist(), self._last.tolist()
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
        return begins, (self._last - self.table.step[begins])[heads]

    @cached_property
    def position(self) -> Floats:
        """Return the height of each trial `(n,)`: its place among those shown of its step, from 0.

        Places follow the depth-first order of the whole forest, in which the descendants of one trial
        stay together, so lines from one step to the next never cross. The highlighted line comes first,
        then lineages that last, then those that die out. NaN for trials that are not shown.
        """
        step = self.table.step
        order = np.lexsort((self._depth_first(), step))
        order = order[self.shown[order]]
        _, starts, counts = np.unique(step[order], return_index=True, return_counts=True)
        position = np.full(len(step), np.nan)
        position[order] = np.arange(len(order)) - np.repeat(starts, counts)
        return position

    def _depth_first(self) -> Rows:
        """Return the place of each trial `(n,)` in the depth-first order of the forest."""
        children: list[list[int]] = [[] for _ in range(len(self.table) + 1)]  # founders' are last
        for row in np.lexsort((self._last, self.alive > 0, self._highlighted)).tolist():
            children[self.table.parent[row]].append(row)  # the first to be drawn ends up last
        order = np.empty(len(self.table), dtype=np.int64)
        stack = children[-1]
        for place in range(len(order)):
            row = stack.pop()
            order[row] = place
            stack += children[row]
        return order

    @cached_property
    def _highlighted(self) -> Mask:
        return self._mask(self.table.line)

    @cached_property
    def _last(self) -> Rows:
        """Return the last step that each trial or a descendant has reached `(n,)`."""
        last = self.table.step.copy()
        for row, parent in self._upwards():
            last[parent] = max(last[parent], last[row])
        return last

    def _mask(self, rows: Rows) -> Mask:
        mask = np.zeros(len(self.table), dtype=bool)
        mask[rows] = True
        return mask

    def _upwards(self) -> list[tuple[int, int]]:
        """Return each row with a parent and the parent's row, children before parents."""
        pairs = enumerate(self.table.parent.tolist())
        return [(row, parent) for row, parent in pairs if parent >= 0][::-1]
