"""Residual networks of a whole population: each member is trained as it would be alone, and repeatably."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.image_files import made, write_cifar100

torch = pytest.importorskip("torch")

from hoptim.benchmarks.studies.augmentation import MAGNITUDES, augment  # noqa: E402
from hoptim.benchmarks.studies.image_data import ImageData  # noqa: E402
from hoptim.benchmarks.studies.image_learners import Learners, drop  # noqa: E402
from hoptim.benchmarks.studies.image_model import WideResNet  # noqa: E402
from hoptim.benchmarks.studies.image_options import Cifar100Options  # noqa: E402
from hoptim.benchmarks.studies.image_scale import SCALES  # noqa: E402
from hoptim.benchmarks.studies.images import Cifar100Training, ImageTraining  # noqa: E402

DATA = ImageData("made", 10, made(60, (1, 8, 8), 10, 0), made(20, (1, 8, 8), 10, 1))
HAND = {name: ImageTraining.hand[name] for name in ImageTraining.space(tune_lr=False)}
SCALE = replace(SCALES["small"], batch=8, updates=2, first=2)
NET = WideResNet(channels=3, classes=10, first=4, stride=2)


@pytest.fixture(autouse=True)
def one_thread():
    """Several threads would only wait for each other on networks this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def generator(seed: int = 0):
    return torch.Generator().manual_seed(seed)


def unlike(count: int) -> Learners:
    """Return members with weights of their own."""
    members = Learners.draw(NET, 0).repeat(count, "cpu")
    for member in range(count):
        for name, one in Learners.draw(NET, member).tensors.items():
            members.tensors[name][member] = one[0]
    return members


def batch(members: int):
    """Return random images, and classes."""
    images = torch.rand(members, 6, 3, 8, 8, generator=generator())
    return images, torch.randint(10, (members, 6), generator=generator())


def population(members: int = 3, together: int = 64) -> ImageTraining:
    """Return a population whose members have begun."""
    training = ImageTraining(members, DATA, replace(SCALE, together=together))
    for member in range(members):
        training.begin(member, member)
    return training


def hyperparameters(members: int) -> list[dict[str, float]]:
    """Return values that differ from member to member."""
    own = [{"shift": 0.1 * k, "erase": 0.2 * k, "dropout": 0.2 * k} for k in range(members)]
    return [{**HAND, **one} for one in own]


def values(member: int, training: ImageTraining) -> list[list[float]]:
    return [one.flatten().tolist() for one in training.state(member).values()]


# -- networks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "millions"), [(10, 36.479_194), (100, 36.536_884)])
def test_the_networks_of_the_paper_have_its_number_of_weights(classes, millions):
    """Wide-ResNet-28-10 has 36.5 million weights (Zagoruyko and Komodakis, Table 4); none is allocated."""
    scale = SCALES["paper"]
    net = WideResNet(3, classes, scale.depth, scale.width, scale.first)
    weights = [torch.empty(shape, device="meta") for shape in net.shapes.values()]
    assert sum(one.numel() for one in weights) == net.parameters == millions * 1e6


def test_a_deep_network_ends_in_classes():
    """The shapes of several blocks a stage fit together, whatever depth and width."""
    members = Learners.draw(WideResNet(3, 100, depth=16, width=2, first=2), 0).repeat(2, "cpu")
    weights, statistics = members.weights, members.statistics
    assert members.net.logits(weights, statistics, torch.rand(2, 5, 3, 32, 32)).shape == (2, 5, 100)


def test_members_are_evaluated_as_if_alone():
    """The classes that a member sees do not depend on its neighbours."""
    members, images = unlike(3), batch(1)[0][0]
    together = members.classify(images)
    assert together.shape == (3, 6)
    for member in range(3):
        assert torch.equal(together[member], members[member : member + 1].classify(images)[0])


def test_an_image_is_evaluated_as_if_alone():
    """Outside training the running statistics count: no other image matters, and they stay as they are."""
    members, images = unlike(2), batch(2)[0]
    kept = {name: one.clone() for name, one in members.statistics.items()}
    weights, statistics = members.weights, members.statistics
    together = NET.logits(weights, statistics, images)
    torch.testing.assert_close(NET.logits(weights, statistics, images[:, :1]), together[:, :1])
    assert all(torch.equal(one, kept[name]) for name, one in statistics.items())


def test_batched_gradients_are_those_of_each_member_alone():
    """One graph has the gradients, and the running statistics, that each member would have by itself."""
    images, labels = batch(3)
    smoothing = torch.tensor([0.0, 0.1, 0.3])
    members, alone = unlike(3), unlike(3)
    together = members.gradients(images, labels, smoothing, lambda x: x)
    for member in range(3):
        one = slice(member, member + 1)
        single = alone[one].gradients(images[one], labels[one], smoothing[one], lambda x: x)
        for name, gradient in single.items():
            torch.testing.assert_close(together[name][one], gradient, rtol=1e-4, atol=1e-6)
    for name, one in members.statistics.items():
        torch.testing.assert_close(one, alone.statistics[name])


def test_gradients_are_slopes_of_the_smoothed_loss():
    """A small step along a gradient changes the loss by its squared length, as written out by torch."""
    images, labels = batch(1)
    single = Learners.draw(NET, 0)
    kinds = (single.weights, single.velocities, single.statistics)
    learner = Learners(NET, *({name: one.double() for name, one in kind.items()} for kind in kinds))
    gradients = learner.gradients(images.double(), labels, torch.tensor([0.2]).double(), lambda x: x)

    def loss(step: float):
        weights = {name: one - step * gradients[name] for name, one in learner.weights.items()}
        logits = NET.logits(weights, learner.statistics, images.double(), lambda x: x)
        return torch.nn.functional.cross_entropy(logits[0], labels[0], label_smoothing=0.2)

    squared = sum(one.square().sum() for one in gradients.values())
    torch.testing.assert_close((loss(-1e-6) - loss(1e-6)) / 2e-6, squared, rtol=1e-4, atol=0)


def test_an_update_is_a_step_of_sgd():
    """Two updates change the weights as torch's own optimizer does."""
    images, labels = batch(1)
    learner = Learners.draw(NET, 0)
    weights = [one.clone().requires_grad_() for one in learner.weights.values()]
    sgd = torch.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    chosen = {"lr": 0.1, "decay": 0.01, "smoothing": 0.0, "dropout": 0.0}
    for _ in range(2):
        named = dict(zip(learner.weights, weights, strict=True))
        logits = NET.logits(named, Learners.draw(NET, 0).statistics, images, lambda x: x)
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(logits[0], labels[0]).backward()
        sgd.step()
        learner.update(images, labels, {k: torch.tensor([v]) for k, v in chosen.items()}, generator())
    for mine, theirs in zip(learner.weights.values(), weights, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_each_member_drops_its_own_share():
    """Shares are those asked for, means stay, and a rate of 0 leaves the activations as they are."""
    rates = torch.tensor([0.0, 0.25, 0.8])
    x = torch.ones(50, 3 * 4, 10, 10)
    dropped = drop(rates, generator(), x).view(50, 3, 4, 10, 10).transpose(0, 1)
    assert torch.equal(dropped[0], torch.ones_like(dropped[0]))
    for rate, one in zip(rates, dropped, strict=True):
        assert (one == 0).float().mean().item() == pytest.approx(rate.item(), abs=0.01)
        assert one.mean().item() == pytest.approx(1, abs=0.05)


# -- augmentation --------------------------------------------------------------------------------------


def magnitudes(members: int, **given: float):
    return {name: torch.full((members,), given.get(name, 0.0)) for name in MAGNITUDES}


def test_augmentation_of_magnitude_zero_is_the_identity():
    """Images stay as they are, up to rounding."""
    images = batch(2)[0]
    torch.testing.assert_close(augment(images, magnitudes(2), generator()), images, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MAGNITUDES)
def test_each_magnitude_changes_the_images_of_its_member_alone(name):
    """The second member has a magnitude, the first has none."""
    images, both = batch(2)[0], magnitudes(2)
    both[name][1] = MAGNITUDES[name].high
    changed = augment(images, both, generator())
    torch.testing.assert_close(changed[0], images[0], rtol=0, atol=1e-5)
    assert (changed[1] - images[1]).abs().max() > 0.1


def test_mirrored_images_are_mirrored_or_not():
    """With all magnitudes 0 there are two outcomes, and both occur."""
    images = torch.rand(1, 40, 1, 8, 8, generator=generator())
    changed = augment(images, magnitudes(1), generator(), mirrored=True)
    same, flipped = ((changed - one).abs().amax((2, 3, 4))[0] < 1e-5 for one in (images, images.flip(-1)))
    assert bool((same ^ flipped).all())
    assert 5 < same.sum() < 35


def test_the_erased_square_has_the_side_asked_for():
    """A square of half the side erases a fourth, or less where it reaches over an edge."""
    changed = augment(torch.ones(1, 200, 1, 16, 16), magnitudes(1, erase=0.5), generator())
    erased = (changed == 0).sum((2, 3, 4))[0]
    assert erased.max() == 64
    assert erased.min() >= 9  # a corner in the centre leaves a fourth, less half a pixel on either side


def centres(images):
    """Return how far to the right and down the light is from the centre, in pixels `(images, 2)`."""
    places = torch.arange(images.shape[-1]) + 0.5 - images.shape[-1] / 2
    light, total = images[0, :, 0], images[0, :, 0].sum((1, 2))
    return (
        torch.stack([(light * places).sum((1, 2)), (light * places[:, None]).sum((1, 2))], 1)
        / total[:, None]
    )


def spots(right: int = 0):
    """Return images that are dark but for four pixels, in the centre or to the right of it."""
    images = torch.zeros(1, 300, 1, 16, 16)
    images[..., 7:9, 7 + right : 9 + right] = 1
    return images


def test_images_are_shifted_up_to_the_share_asked_for():
    """To either side, up and down, up to a quarter of 16 pixels, and nearly so far in 300 draws."""
    moved = centres(augment(spots(), magnitudes(1, shift=0.25), generator()))
    assert moved.abs().max() < 4.001
    assert bool((moved.amin(0) < -3.6).all() and (moved.amax(0) > 3.6).all())


def test_images_are_rotated_up_to_the_angle_asked_for():
    """To either side, in degrees, and without another distance to the centre."""
    right, down = centres(augment(spots(right=5), magnitudes(1, rotate=30.0), generator())).T
    angles = torch.atan2(down, right).rad2deg()
    assert angles.abs().max() < 31
    assert angles.min() < -27 < 27 < angles.max()
    assert bool(((right**2 + down**2).sqrt() - 5).abs().max() < 0.2)


def test_contrast_is_changed_up_to_the_share_asked_for():
    """Deviations from the mean grow or shrink by up to 0.9 of themselves, and the mean stays."""
    images = torch.rand(1, 300, 3, 8, 8, generator=generator())
    changed = augment(images, magnitudes(1, contrast=0.9), generator())
    ratios = changed.std((2, 3, 4)) / images.std((2, 3, 4))
    assert 0.099 < ratios.min() < 0.2
    assert 1.8 < ratios.max() < 1.901
    torch.testing.assert_close(changed.mean((2, 3, 4)), images.mean((2, 3, 4)), rtol=0, atol=1e-4)


# -- populations ---------------------------------------------------------------------------------------


def test_no_image_is_both_trained_on_and_validated():
    """A third is for validation, all others are trained on."""
    parts = {
        name: {one.numpy().tobytes() for one in images}
        for name, (images, _) in population(1)._parts.items()
    }
    assert (len(parts["training"]), len(parts["validation"])) == (40, 20)
    assert not parts["training"] & parts["validation"]
    assert parts["training"] | parts["validation"] == {one.tobytes() for one in DATA.training.images}


def test_two_runs_are_bit_identical():
    """The same seeds give the same weights and the same errors."""
    first, second = population(), population()
    for training in (first, second):
        training.train(hyperparameters(3), [0, 0, 0], seed=5)
    assert [values(member, first) for member in range(3)] == [values(member, second) for member in range(3)]
    assert first.losses("validation") == second.losses("validation")


def test_a_loaded_state_continues_bit_identically():
    """A population of loaded states goes on as the one that was saved would have."""
    saved = population()
    saved.train(hyperparameters(3), [0, 0, 0], seed=5)
    states = [saved.state(member) for member in range(3)]
    loaded = ImageTraining(3, DATA, SCALE)
    for member, state in enumerate(states):
        loaded.load(member, state)
    for training in (saved, loaded):
        training.train(hyperparameters(3), [1, 1, 1], seed=6)
    assert [values(member, saved) for member in range(3)] == [values(member, loaded) for member in range(3)]
    assert saved.losses("test") == loaded.losses("test")


def test_a_state_is_a_copy():
    """Training goes on without changing what was saved."""
    training = population()
    state = training.state(0)
    kept = {name: one.clone() for name, one in state.items()}
    training.train(hyperparameters(3), [0, 0, 0], seed=5)
    assert all(torch.equal(one, kept[name]) for name, one in state.items())
    assert values(0, training) != [one.flatten().tolist() for one in state.values()]


def test_weights_of_another_member_are_taken_over():
    """Loading the state of a neighbour makes both equal, and leaves the third."""
    training = population()
    before = values(2, training)
    training.load(1, training.state(0))
    assert values(0, training) == values(1, training) != before == values(2, training)


@pytest.mark.parametrize("together", [1, 2])
def test_members_in_several_graphs_are_all_trained(together):
    """Each member is changed and evaluated, whatever the number of members in a graph."""
    training = population(together=together)
    before = [values(member, training) for member in range(3)]
    training.train(hyperparameters(3), [0, 0, 0], seed=5)
    assert all(values(member, training) != before[member] for member in range(3))
    assert training.losses("test") == pytest.approx(
        [one for (one,) in map(alone_losses(training), range(3))]
    )


def alone_losses(training: ImageTraining):
    """Return a function of a member: its error in a population of one."""

    def losses(member: int) -> list[float]:
        single = ImageTraining(1, DATA, SCALE)
        single.load(0, training.state(member))
        return single.losses("test")

    return losses


def test_the_learning_rate_follows_the_age():
    """The same update changes the weights less when they are older."""
    changes = []
    for age in (0, 10, 19):
        training = population(1)
        before = training.state(0)["weights.first"]
        training.train([HAND], [age], seed=1)
        changes.append((training.state(0)["weights.first"] - before).norm().item())
    assert changes[0] > changes[1] > changes[2] > 0


def test_hyperparameters_have_values_set_by_hand():
    """Each has one within its range, and only the learning rate is left out where it has a schedule."""
    space = ImageTraining.space(tune_lr=True)
    assert space.keys() == ImageTraining.hand.keys()
    assert space.keys() - ImageTraining.space(tune_lr=False).keys() == {"lr"}
    assert all(space[name].low <= value <= space[name].high for name, value in ImageTraining.hand.items())


def test_a_tuned_learning_rate_replaces_the_schedule():
    """Late in a run, its first rate is another one than that of the schedule; at first it is the same."""
    for age, same in ((0, True), (10, False)):
        scheduled, tuned = population(1), population(1)
        scheduled.train([HAND], [age], seed=1)
        tuned.train([{**HAND, "lr": ImageTraining.peak_lr}], [age], seed=1)
        assert (values(0, scheduled) == values(0, tuned)) == same


def test_the_fingerprint_tells_data_and_sizes():
    """Other labels or sizes are another study, the number of members is not."""
    labels = DATA.training.labels[::-1].copy()
    others = replace(DATA, training=replace(DATA.training, labels=labels))
    fingerprints = [
        ImageTraining(size, data, scale).data
        for size, data, scale in (
            (1, DATA, SCALE), (2, DATA, SCALE), (1, others, SCALE), (1, DATA, replace(SCALE, batch=4)),
        )
    ]  # fmt: skip
    assert fingerprints[0] == fingerprints[1]
    assert len({*fingerprints}) == 3


def test_errors_are_shown_in_percent():
    """The losses that are told are shares."""
    assert population(1).shown([0.0, 0.25], "test") == [0, 25]


def test_training_lowers_the_error():
    """Brighter classes are told apart better than by chance after some intervals."""
    training = ImageTraining(1, DATA, replace(SCALE, first=4, updates=8))
    training.begin(0, 0)
    for age in range(4):
        training.train([{**HAND, "erase": 0.0, "contrast": 0.0}], [age], seed=age)
    assert training.losses("training")[0] < 0.7


def test_cifar_is_trained_at_the_small_scale(tmp_path):
    """Images in colour are halved, mirrored and classified, from files in the exact format."""
    write_cifar100(tmp_path)
    training = Cifar100Options(data=tmp_path).training(2)
    assert isinstance(training, Cifar100Training)
    for member in range(2):
        training.begin(member, member)
    training.train([HAND] * 2, [0, 0], seed=0)
    assert all(0 <= error <= 1 for error in training.losses("test"))
