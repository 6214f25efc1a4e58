"""A trial's hyperparameters in a torch optimizer: brought into force, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from hoptim.errors import ArgumentError

_BETAS = {"beta1": 0, "beta2": 1}  # numbers of a pair cannot be tuned by the pair's name


def apply(
    optimizer: torch.optim.Optimizer,
    params: Mapping[str, Any],
    group: int | str | None = None,
    scheduler: Any = None,
) -> None:
    """Bring hyperparameters into force, after the optimizer's state was restored.

    Sets what the optimizer knows by name, such as `lr`, `momentum` or `weight_decay`; `beta1` and
    `beta2` stand for the two of `betas`. Other names are left to you: `in_force` leaves them out.

    A learning-rate scheduler keeps its factor: the learning rate is then `params["lr"]` times what
    the scheduler made of its base so far. Most schedulers hold that base themselves and would bring
    the parent's back at their next step, so give `scheduler=` if one exists already; one that is
    made afterwards with `last_epoch=` starts from the base that is set here (`initial_lr`).

    Args:
        optimizer: Its state restored already, and its scheduler's.
        params: A trial's, or any part of them.
        group: Index of one parameter group, or the group's `"name"`; None sets all groups alike,
            also one whose weight decay was 0 on purpose.
        scheduler: The optimizer's, with its state restored.

    Raises:
        ArgumentError: The optimizer knows none of the names, or has no such group; or the scheduler
            computes the learning rate from a maximum (OneCycleLR, CyclicLR).
    """
    held = list(_schedulers(scheduler))
    for index, settings in _groups(optimizer, group):
        if not any(_has(settings, name) for name in params):
            raise ArgumentError(
                f"{type(optimizer).__name__} has none of the settings {list(params)}; its parameter group "
                f"{index} has {[name for name in settings if name != 'params']}."
            )
        for name in params:
            if name == "lr":
                _set_lr(settings, params["lr"])
                for each in held:
                    each.base_lrs[index] = params["lr"]
            elif _has(settings, name):
                _set(settings, name, params[name])


def in_force(
    optimizer: torch.optim.Optimizer,
    names: Iterable[str],
    group: int | str | None = None,
    scheduler: Any = None,
) -> dict[str, float]:
    """Hyperparameters as the optimizer will use them, for `trial.check(**...)`.

    `lr` is the base: without the factor of a scheduler, as `apply` sets it.

    Args:
        optimizer: Where to look.
        names: Those wanted, such as `trial.params`; what the optimizer does not know is left out.
        group: Index or name of one parameter group; None looks at all, which must agree.
        scheduler: The optimizer's; its base is then the one that is read, since it overrules.

    Raises:
        ArgumentError: There is no such group, or the groups do not agree.
    """
    found: dict[str, float] = {}
    for index, settings in _groups(optimizer, group):
        for name in names:
            if not _has(settings, name):
                continue
            value = _get(settings, name)
            if name == "lr":
                bases = {float(each.base_lrs[index]) for each in _schedulers(scheduler)} - {value}
                value = bases.pop() if bases else value
            if found.setdefault(name, value) != value:
                raise ArgumentError(
                    f"The parameter groups do not agree on {name}: {found[name]!r} and, in group {index}, "
                    f"{value!r}. Look at one of them with group=."
                )
    return found


def _groups(
    optimizer: torch.optim.Optimizer, wanted: int | str | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    groups = list(enumerate(optimizer.param_groups))
    chosen = [
        (i, settings) for i, settings in groups if wanted is None or wanted in (i, settings.get("name"))
    ]
    if not chosen:
        known = [settings.get("name", i) for i, settings in groups]
        raise ArgumentError(f"The optimizer has no parameter group {wanted!r}; it has {known}.")
    yield from chosen


def _has(settings: Mapping[str, Any], name: str) -> bool:
    return ("betas" if name in _BETAS else name) in settings and name != "params"


def _get(settings: Mapping[str, Any], name: str) -> float:
    if name in _BETAS:
        return float(settings["betas"][_BETAS[name]])
    return float(settings.get("initial_lr", settings["lr"]) if name == "lr" else settings[name])


def _set(settings: dict[str, Any], name: str, value: Any) -> None:
    if name in _BETAS:
        betas = list(settings["betas"])
        betas[_BETAS[name]] = value
        settings["betas"] = tuple(betas)
    elif isinstance(settings[name], torch.Tensor):
        settings[name].fill_(value)  # the very tensor that a compiled or captured step reads
    else:
        settings[name] = value


def _set_lr(settings: dict[str, Any], value: float) -> None:
    """A base that a scheduler has scaled is scaled again by the same factor."""
    if "max_lr" in settings:
        raise _from_a_maximum()
    base = float(settings.get("initial_lr", 0.0))
    factor = float(settings["lr"]) / base if base else 1.0
    _set(settings, "lr", value * factor)
    if "initial_lr" in settings:
        _set(settings, "initial_lr", value)


def _schedulers(scheduler: Any) -> Iterator[Any]:
    """A scheduler and those within it, as far as they hold a base."""
    if hasattr(scheduler, "max_lrs"):
        raise _from_a_maximum()
    if hasattr(scheduler, "base_lrs"):
        yield scheduler
    for inner in getattr(scheduler, "_schedulers", ()):
        yield from _schedulers(inner)


def _from_a_maximum() -> ArgumentError:
    return ArgumentError(
        "OneCycleLR and CyclicLR compute the learning rate from a maximum of their own, so a base "
        "would change nothing. Make such a scheduler anew in each trial, or use LambdaLR."
    )
