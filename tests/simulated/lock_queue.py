"""A model of workers that queue for one lock: a closed network with a single first-come server."""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from tests.simulated.fleet import JITTER, Measured

RECORDS = 2  # of a decision: a tell and the next ask
_ROUNDS, _SETTLING = 3, 1  # trials of each worker, and how many of them are not counted


class Costs(NamedTuple):
    """What a decision costs, in seconds.

    Attributes:
        hold: Hold of the lock, with nothing new to read and few members.
        by_worker: Growth of it with each worker.
        fold: Reading and folding of one record of another worker within the hold.
        early: The same before it, where many are read at once.
        outside: Rest of a decision, without the lock.
        late: Share of the records since a worker's last decision that it folds within the hold.
        handover: Time from a release to the next hold, if somebody waits.
        line: Records beyond which those that come during a wait are read at the head of a line, while one
            other process holds the lock. Default: infinite, for no line.
    """

    hold: float
    by_worker: float
    fold: float
    early: float
    outside: float
    late: float
    handover: float
    line: float = math.inf


class Figures(NamedTuple):
    """How a number of workers do.

    Attributes:
        median: Median seconds from a tell to the next trial.
        p99: What 99 % of them do not exceed.
        share: Share of a worker's time that goes there.
        cycle: Mean seconds from one decision of a worker to its next.
        mean: Mean seconds from a tell to the next trial.
    """

    median: float
    p99: float
    share: float
    cycle: float
    mean: float

    @classmethod
    def of(cls, waits: Sequence[float], trial: float) -> Figures:
        """Return the figures of waits between trials of a mean length."""
        half, most = np.quantile(waits, [0.5, 0.99]).tolist()
        wait = fmean(waits)
        return cls(half, most, wait / (trial + wait), trial + wait, wait)


def calibrated(runs: Sequence[tuple[int, Measured]], handover: float) -> Costs:
    """Return the costs that fit best to what fleets of several sizes did.

    Args:
        runs: Number of workers, and what they did: some without waiting for each other, some with.
        handover: Seconds from a release to the next hold.
    """
    rows, holds, befores, rests = [], [], [], []
    inside, there = 0.0, 0
    for workers, measured in runs:
        weight = len(measured.holds) ** -0.5  # each run counts as one, whatever its length
        rows += [[weight, weight * workers, weight * hold.foreign] for hold in measured.holds]
        holds += [weight * (hold.released - hold.got) for hold in measured.holds]
        held = median(hold.released - hold.got for hold in measured.holds)
        queued = median(hold.released - hold.asked for hold in measured.holds)
        if queued < 1.1 * held:  # nobody waits, so all that is new was there before the lock was asked for
            records, rest = RECORDS * (workers - 1), median(measured.waits) - queued
            inside += fmean(hold.foreign for hold in measured.holds)
            there += records
            befores.append([1 / rest, records / rest])  # what is fitted are ratios
            rests.append(1.0)
    hold, by_worker, fold = _fitted(rows, holds)
    outside, early = _fitted(befores, rests)
    late = min(1.0, inside / there) if there else 0.0
    return Costs(hold, by_worker, fold, early / (1 - late) if late < 0.5 else fold, outside, late, handover)


def _fitted(rows: list[list[float]], values: list[float]) -> list[float]:
    found = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return [max(0.0, each) for each in found.tolist()]


def modelled(costs: Costs, workers: int, trial: float, seed: int = 0) -> Figures:
    """Return how a number of workers do that queue, decision by decision.

    Args:
        costs: Costs of a decision.
        workers: Number of workers, each with a member of its own.
        trial: Seconds of a trial; each takes up to a tenth more or less.
        seed: Seed of the lengths of trials. Default: 0.
    """
    rng = random.Random(seed)
    events = [(trial * i / workers, 0.0, i, -1) for i in range(workers)]
    seen, done = [0] * workers, [0] * workers  # decisions that each has read of, and has made
    released: list[float] = []  # ends of all holds
    waits: list[float] = []
    hold, held = costs.hold + costs.by_worker * workers, 0.0
    while len(released) < workers * _ROUNDS:
        now, told, i, read = heapq.heappop(events)
        if read < 0:  # a trial ends: what is new is read before the lock
            read = bisect_right(released, now)
            before = costs.outside + (1 - costs.late) * costs.early * RECORDS * (read - seen[i])
            heapq.heappush(events, (now + before, now, i, read))
            continue
        waits_for = bool(released) and released[-1] > now
        got = released[-1] + costs.handover if waits_for else now
        if RECORDS * (len(released) - read) > costs.line:
            head = max(now, held)  # when the one before it in line got the lock
            there = bisect_right(released, head)
            got = max(got, head + costs.early * RECORDS * (there - read))
            seen[i], read = seen[i] + there - read, there
        held, late = got, len(released) - read + costs.late * (read - seen[i])
        released.append(end := got + hold + costs.fold * RECORDS * late)
        seen[i], done[i] = len(released), done[i] + 1
        if done[i] > _SETTLING:
            waits.append(end - told)
        heapq.heappush(events, (end + trial * rng.uniform(1 - JITTER, 1 + JITTER), 0.0, i, -1))
    return Figures.of(waits, trial)


def mean_wait(costs: Costs, workers: int, trial: float, stalled: bool = False) -> float:
    """Return the mean seconds of a decision from a tell to the next trial, by one equation.

    Of n workers, with trials of z seconds and holds of s, one waits W = u s / (2 (1 - u)) for the lock.
    Here u = (n - 1) s / (z + o + s + W) is the share of time that the others hold it, and o is the time
    without the lock (Pollaczek and Khinchine's formula for holds of one length; workers that wait do not
    tell). Since s grows with the records that are appended during W, there may be several solutions. Where
    there is a line, s is the hold, or the reading at the head of the line if that takes longer.

    Args:
        costs: Costs of a decision.
        workers: Number of workers n.
        trial: Seconds of a trial z.
        stalled: True for the largest solution, after all have waited for something at once. Default: False,
            for the smallest.
    """
    unread = RECORDS * (workers - 1)
    outside = costs.outside + (1 - costs.late) * costs.early * unread
    alone = costs.hold + costs.by_worker * workers + costs.late * costs.fold * unread
    longest = alone + max(costs.fold, costs.early) * unread + costs.handover
    wait = np.geomspace(1e-9, 2 * workers * longest, 4000)
    told = (workers - 1) * wait / (trial + outside + alone + wait)  # decisions of others in the meantime
    in_line = told * RECORDS > costs.line
    hold = alone + (1 - costs.late) * RECORDS * costs.fold * np.where(in_line, 1, told)
    hold = np.maximum(hold, np.where(in_line, costs.early * RECORDS * told, 0))
    busy = (workers - 1) * (hold + costs.handover * np.minimum(1, told))
    busy /= trial + outside + hold + wait
    longer = (busy >= 1) | (busy * hold > 2 * (1 - busy) * wait)  # than this one
    at = np.flatnonzero(longer)[-1] + 1 if stalled and longer.any() else np.argmin(longer)
    return float(outside + hold[at] + wait[at])


def most_workers(costs: Costs, trial: float, share: float, limit: int, stalled: bool = False) -> int:
    """Return the largest number of workers whose decisions take at most a share of their time.

    Args:
        costs: Costs of a decision.
        trial: Seconds of a trial.
        share: Share of a worker's time.
        limit: Number that is not exceeded.
        stalled: True for the state after all have waited at once. Default: False.
    """
    longest = trial * share / (1 - share)
    return bisect_right(range(1, limit + 1), longest, key=lambda n: mean_wait(costs, n, trial, stalled))
