"""Hyperparameters in a torch optimizer: brought into force, read back, and kept by schedulers."""

import importlib

import pytest

import hoptim

torch = pytest.importorskip("torch", reason="the extra hoptim[torch] is not installed")
ours = importlib.import_module("hoptim.torch")
schedulers = torch.optim.lr_scheduler

SPACE = {"lr": hoptim.Float(1e-3, 1.0, log=True), "dropout": hoptim.Float(0, 1)}


def sgd(lr=0.5, groups=1, **settings):
    """An optimizer whose parameter groups are named 0, 1 and so on by letter."""
    weights = [{"params": [torch.zeros(2, requires_grad=True)], "name": "abc"[i]} for i in range(groups)]
    return torch.optim.SGD(weights, lr=lr, **settings)


def trained(optimizer, scheduler, steps):
    """The learning rates that were used in some steps."""
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def sequence(optimizer):
    parts = [schedulers.LinearLR(optimizer, 0.1, total_iters=3), schedulers.ExponentialLR(optimizer, 0.5)]
    return schedulers.SequentialLR(optimizer, parts, milestones=[3])


SCHEDULERS = {
    "LambdaLR": lambda optimizer: schedulers.LambdaLR(optimizer, lambda age: 1 / (1 + age)),
    "MultiplicativeLR": lambda optimizer: schedulers.MultiplicativeLR(optimizer, lambda age: 0.9),
    "StepLR": lambda optimizer: schedulers.StepLR(optimizer, 2),
    "LinearLR": lambda optimizer: schedulers.LinearLR(optimizer, 0.1, total_iters=5),
    "ExponentialLR": lambda optimizer: schedulers.ExponentialLR(optimizer, 0.9),
    "CosineAnnealingLR": lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 10),
    "CosineAnnealingWarmRestarts": lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 4),
    "PolynomialLR": lambda optimizer: schedulers.PolynomialLR(optimizer, 10),
    "SequentialLR": sequence,
    "ChainedScheduler": lambda optimizer: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(optimizer, 0.5), schedulers.ExponentialLR(optimizer, 0.9)]
    ),
}


def test_what_is_applied_is_in_force_and_checked():
    """Names of the optimizer's are set in all groups; others are left to the caller."""
    optimizer = sgd(groups=2, momentum=0.5)
    params = {"lr": 0.25, "momentum": 0.75, "weight_decay": 0.125, "dropout": 0.5}
    ours.apply(optimizer, params)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.75, 0.75]
    assert ours.in_force(optimizer, params) == {"lr": 0.25, "momentum": 0.75, "weight_decay": 0.125}


def test_what_was_applied_before_loading_is_found_out():
    """A restored optimizer has its parent's learning rate, and trial.check says so."""
    trial = hoptim.Study(None, space=SPACE, size=2, steps=1, mode="min").ask()
    parent, optimizer = sgd(0.7), sgd()
    ours.apply(optimizer, trial.params)
    trial.check(**ours.in_force(optimizer, trial.params))
    optimizer.load_state_dict(parent.state_dict())
    with pytest.raises(hoptim.NotApplied, match=r"lr is 0\.7"):
        trial.check(**ours.in_force(optimizer, trial.params))
    ours.apply(optimizer, trial.params)
    trial.check(**ours.in_force(optimizer, trial.params))


def test_betas_have_names_of_their_own():
    """`beta1` and `beta2` set one each of a pair."""
    optimizer = torch.optim.Adam([torch.zeros(1)], betas=(0.9, 0.99))
    ours.apply(optimizer, {"beta1": 0.5})
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.99)
    assert ours.in_force(optimizer, ["beta1", "beta2"]) == {"beta1": 0.5, "beta2": 0.99}
    assert ours.in_force(sgd(), ["beta1"]) == {}


@pytest.mark.parametrize("group", [1, "b"])
def test_one_group_by_index_or_name(group):
    """The others stay as they are, and then only one can be looked at."""
    optimizer = sgd(groups=3)
    ours.apply(optimizer, {"lr": 0.25}, group=group)
    assert [each["lr"] for each in optimizer.param_groups] == [0.5, 0.25, 0.5]
    assert ours.in_force(optimizer, ["lr"], group=group) == {"lr": 0.25}
    with pytest.raises(hoptim.ArgumentError, match=r"do not agree on lr: 0\.5 and, in group 1, 0\.25"):
        ours.in_force(optimizer, ["lr"])


def test_a_group_that_is_not_there_is_refused():
    """The message has those that are."""
    with pytest.raises(hoptim.ArgumentError, match=r"no parameter group 'head'; it has \['a', 'b'\]"):
        ours.apply(sgd(groups=2), {"lr": 0.1}, group="head")


def test_applying_nothing_is_refused():
    """Names of which the optimizer knows none would tune nothing, in silence."""
    with pytest.raises(hoptim.ArgumentError, match=r"SGD has none of the settings \['learning_rate'\]"):
        ours.apply(sgd(), {"learning_rate": 0.1})


def test_a_learning_rate_in_a_tensor_stays_that_tensor():
    """A compiled step reads the very tensor."""
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=rate, capturable=False, foreach=False)
    ours.apply(optimizer, {"lr": 0.25})
    assert optimizer.param_groups[0]["lr"] is rate
    assert ours.in_force(optimizer, ["lr"]) == {"lr": 0.25}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("before", [0, 4])
def test_a_scheduler_keeps_its_factor_on_the_new_base(name, before):
    """From where its parent was, the rates are those of a run that had the new base all along."""
    parent, child, reference = sgd(0.5), sgd(0.1), sgd(0.2)
    scheduler, restored, alike = (SCHEDULERS[name](optimizer) for optimizer in (parent, child, reference))
    trained(parent, scheduler, before)
    child.load_state_dict(parent.state_dict())
    restored.load_state_dict(scheduler.state_dict())
    ours.apply(child, {"lr": 0.2}, scheduler=restored)
    assert ours.in_force(child, ["lr"], scheduler=restored) == {"lr": 0.2}
    expected = trained(reference, alike, before + 5)[before:]
    assert trained(child, restored, 5) == pytest.approx(expected)


def test_a_scheduler_that_was_not_given_is_found_out():
    """It holds its parent's base still, which a look with `scheduler=` shows."""
    optimizer = sgd(0.5)
    scheduler = schedulers.LambdaLR(optimizer, lambda age: 1.0)
    ours.apply(optimizer, {"lr": 0.2})
    assert ours.in_force(optimizer, ["lr"], scheduler=scheduler) == {"lr": 0.5}
    assert trained(optimizer, scheduler, 2) == [0.2, 0.5]


def test_a_scheduler_made_afterwards_starts_from_the_new_base():
    """As made anew in each trial from its age."""
    parent, child = sgd(0.5), sgd(0.1)
    trained(parent, schedulers.LambdaLR(parent, lambda age: 1 / (1 + age)), 3)
    child.load_state_dict(parent.state_dict())
    ours.apply(child, {"lr": 0.2})
    scheduler = schedulers.LambdaLR(child, lambda age: 1 / (1 + age), last_epoch=2)
    assert trained(child, scheduler, 2) == pytest.approx([0.2 / 4, 0.2 / 5])


def test_a_rate_of_zero_is_no_dead_end():
    """A parent's learning rate of 0 tells no factor; the child's is then taken as it is."""
    optimizer = sgd(0.0)
    scheduler = schedulers.LambdaLR(optimizer, lambda age: 1.0)
    ours.apply(optimizer, {"lr": 0.2}, scheduler=scheduler)
    assert optimizer.param_groups[0]["lr"] == 0.2


@pytest.mark.parametrize("scheduler", ["OneCycleLR", "CyclicLR"])
def test_a_scheduler_with_a_maximum_of_its_own_is_refused(scheduler):
    """A base would change nothing there, so the caller is told."""
    optimizer = sgd(0.1, momentum=0.5)
    made = (
        schedulers.OneCycleLR(optimizer, 1.0, total_steps=10)
        if scheduler == "OneCycleLR"
        else schedulers.CyclicLR(optimizer, 0.1, 1.0)
    )
    before = dict(optimizer.param_groups[0])
    with pytest.raises(hoptim.ArgumentError, match="compute the learning rate from a maximum"):
        ours.apply(optimizer, {"lr": 0.2}, scheduler=made)
    assert optimizer.param_groups[0] == before
