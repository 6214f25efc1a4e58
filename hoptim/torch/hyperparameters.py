"""Hyperparameters of a trial in a torch optimizer: brought into force, and read back."""

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

    A learning-rate scheduler keeps its factor: the learning rate becomes `params["lr"]` times the
    factor that the scheduler has applied to its base so far. Most schedulers hold that base themselves
    and would bring the parent's back at their next step, so pass `scheduler=` if one exists already; one
    that is made afterwards with `last_epoch=` starts from the base that is set here (`initial_lr`).

    Args:
        optimizer: Optimizer whose state, like its scheduler's, was restored already.
        params: Hyperparameters of a trial, or any part of them.
        group: Index or `"name"` of one parameter group. Default: None, all groups alike, also one whose
            weight decay was 0 on purpose.
        scheduler: Learning-rate scheduler of the optimizer, its state restored. Default: None.

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
    """Return hyperparameters as the optimizer will use them, for `trial.check(**...)`.

    `lr` is the base: without the factor of a scheduler, as `apply` sets it.

    Args:
        optimizer: Optimizer to read.
        names: Names to look for, such as `trial.params`; those that the optimizer lacks are left out.
        group: Index or `"name"` of one parameter group. Default: None, all groups, which must agree.
        scheduler: Learning-rate scheduler of the optimizer, whose base is read since it overrules the
            optimizer's. Default: None.

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
                    f"{value!r}. Read one of them with group=."
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
        settings[name].fill_(value)  # in place: a compiled or captured step reads this tensor
    else:
        settings[name] = value


def _set_lr(settings: dict[str, Any], value: float) -> None:
    """Set the base learning rate, and keep the factor by which a scheduler has scaled it."""
    if "max_lr" in settings:
        raise _from_a_maximum()
    base = float(settings.get("initial_lr", 0.0))
    factor = float(settings["lr"]) / base if base else 1.0
    _set(settings, "lr", value * factor)
    if "initial_lr" in settings:
        _set(settings, "initial_lr", value)


def _schedulers(scheduler: Any) -> Iterator[Any]:
    """Yield a scheduler and those within it, as far as they hold a base."""
    if hasattr(scheduler, "max_lrs"):
        raise _from_a_maximum()
    if hasattr(scheduler, "base_lrs"):
        yield scheduler
    for inner in getattr(scheduler, "_schedulers", ()):
        yield from _schedulers(inner)


def _from_a_maximum() -> ArgumentError:
    return ArgumentError(
        "OneCycleLR and CyclicLR compute the learning rate from a maximum of their own, so a base "
        "would change nothing. Create such a scheduler in each trial, or use LambdaLR."
    )
