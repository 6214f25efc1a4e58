"""The language study: causality, memory, batches and gradients of the model, and the text that it reads."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import hoptim
from hoptim.benchmarks.__main__ import main
from hoptim.benchmarks.studies.scales import SCALES, Scale
from hoptim.benchmarks.studies.text import KING_JAMES, Limits, Text, king_james, own_text, standard_text

torch = pytest.importorskip("torch")

from hoptim.benchmarks.studies.adam import Adam  # noqa: E402
from hoptim.benchmarks.studies.language import LanguageTraining  # noqa: E402
from hoptim.benchmarks.studies.transformer import DROPOUTS, Dropout, Transformer  # noqa: E402

MODEL = Transformer(vocabulary=11, layers=2, width=8, heads=2, inner=12, segment=5, memory=5)
TINY = Scale(
    Limits(11), {"layers": 2, "width": 8, "heads": 2, "inner": 12, "segment": 5, "memory": 5}, 3, 2
)
PARAMS = {"embedding": 0.1, "hidden": 0.3, "attention": 0.2, "output": 0.1, "decay": 0.1}


@pytest.fixture(autouse=True)
def double_precision():
    """Compute in double precision: single precision rounds otherwise elsewhere, and Adam magnifies that."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def population_weights(members: int, model: Transformer = MODEL):
    """Random weights of some members, with biases that are not 0."""
    generator = torch.Generator().manual_seed(1)
    each = [model.initial(generator) for _ in range(members)]
    weights = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    return {name: w + 0.1 * torch.randn(w.shape, generator=generator) for name, w in weights.items()}


def words_of(*shape: int):
    return torch.randint(11, shape, generator=torch.Generator().manual_seed(2))


def memory_of(members: int, rows: int, length: int, layers: int = 2):
    return torch.randn(members, layers, rows, length, 8, generator=torch.Generator().manual_seed(3))


def forward(weights, words, model: Transformer = MODEL, memory=None, filled: int = 0):
    """Logits and memory, by default with an empty memory."""
    members, rows, _ = words.shape
    memory = memory_of(members, rows, model.memory, model.layers) if memory is None else memory
    return model.forward(weights, words, memory, torch.full((members,), filled))


def tiny_text(words: int = 200) -> Text:
    rng = np.random.default_rng(0)
    train, validation, test = (rng.integers(11, size=n) for n in (words, 41, 33))
    return Text(train, validation, test, 11)


def tiny(size: int) -> LanguageTraining:
    """A population of tiny models with their own weights."""
    training = LanguageTraining(size, tiny_text(), TINY)
    for member in range(size):
        training.begin(member, 10 + member)
    return training


def close(found, expected):
    return torch.allclose(found, expected, rtol=1e-6, atol=1e-6)


# -- the model -----------------------------------------------------------------------------------------


def test_no_word_sees_a_later_one():
    """Changing a word changes no logit before it, and some from it on."""
    weights, words = population_weights(2), words_of(2, 3, 5)
    before, _ = forward(weights, words, filled=5)
    for place in range(5):
        changed = words.clone()
        changed[:, :, place] = (changed[:, :, place] + 1) % 11
        after, _ = forward(weights, changed, filled=5)
        assert torch.equal(after[:, :, :place], before[:, :, :place])
        assert not close(after[:, :, place:], before[:, :, place:])


def plainly(weights, words):
    """Logits `(t, vocabulary)` of one member on one row, word by word and head by head, as in the paper."""
    w = {name: weight[0].double() for name, weight in weights.items()}
    size = MODEL.width // MODEL.heads
    pace = 10_000 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)

    def normal(values, scale):
        centred = values - values.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * scale

    hidden = w["words"][words] * 8**0.5
    for layer in range(MODEL.layers):
        inputs, attended = normal(hidden, w["attention_scale"][layer]), torch.zeros_like(hidden)
        key, value = (inputs @ w["key_value"][layer]).split(8, -1)
        for i in range(len(words)):
            query = inputs[i] @ w["query"][layer]
            for head in (slice(0, size), slice(size, 8)):
                scores = []
                for j in range(i + 1):
                    angle = (i - j) * pace
                    distance = (torch.cat([angle.sin(), angle.cos()]) @ w["distances"])[head]
                    scores.append(
                        (query + w["content_bias"])[head] @ key[j][head]
                        + (query + w["distance_bias"])[head] @ distance
                    )
                shares = torch.softmax(torch.stack(scores) / size**0.5, 0)
                attended[i, head] = shares @ value[: i + 1, head]
        hidden = hidden + attended @ w["attended"][layer]
        inner = normal(hidden, w["inner_scale"][layer]) @ w["inner"][layer] + w["inner_bias"][layer]
        hidden = hidden + inner.clamp(min=0) @ w["outer"][layer]
    return normal(hidden, w["last_scale"]) @ w["words"].T + w["words_bias"]


def test_it_is_the_attention_of_the_paper():
    """Without memory, logits are those of sums over content and distance of each pair of words."""
    weights, words = population_weights(1), words_of(1, 1, 7)
    found, _ = forward(weights, words)
    assert close(found[0, 0], plainly(weights, words[0, 0]))


def test_segments_with_memory_are_one_long_segment():
    """Where the memory holds all of the past, cutting the text into segments changes nothing."""
    model = Transformer(vocabulary=11, layers=2, width=8, heads=2, inner=12, segment=5, memory=15)
    weights, words = population_weights(2, model), words_of(2, 3, 20)
    whole, _ = forward(weights, words, model)
    memory, parts = memory_of(2, 3, 15), []
    for number, segment in enumerate(words.split(5, -1)):
        logits, memory = forward(weights, segment, model, memory, 5 * number)
        parts.append(logits)
    assert close(torch.cat(parts, 2), whole)


def test_memory_that_is_too_short_forgets():
    """One layer that remembers a segment sees exactly that one: what was before it has no effect."""
    model = Transformer(vocabulary=11, layers=1, width=8, heads=2, inner=12, segment=5, memory=5)
    weights, words = population_weights(1, model), words_of(1, 2, 15)
    memory, parts = memory_of(1, 2, 5, 1), []
    for number, segment in enumerate(words.split(5, -1)):
        logits, memory = forward(weights, segment, model, memory, min(5 * number, 5))
        parts.append(logits)
    whole, late = (forward(weights, each, model)[0] for each in (words, words[:, :, 5:]))
    assert close(torch.cat(parts[:2], 2), whole[:, :, :10])
    assert close(parts[2], late[:, :, 5:])
    assert not close(parts[2], whole[:, :, 10:])


def test_unfilled_memory_is_not_seen():
    """Logits depend on the filled end of the memory alone."""
    weights, words, memory = population_weights(2), words_of(2, 3, 5), memory_of(2, 3, 5)
    found, _ = forward(weights, words, memory=memory, filled=2)
    changed = memory.clone()
    changed[..., :3, :] = 7.0
    assert torch.equal(forward(weights, words, memory=changed, filled=2)[0], found)
    changed[..., 3, :] = 7.0
    assert not close(forward(weights, words, memory=changed, filled=2)[0], found)


def test_the_scale_of_the_paper_has_24_million_parameters():
    """They are counted without memory for them."""
    weights = Transformer(10_000, **SCALES["paper"].model).initial(device="meta")
    assert 23.5e6 < sum(weight.numel() for weight in weights.values()) < 24.5e6
    assert {name: tuple(weight.shape) for name, weight in MODEL.initial().items()} == MODEL.shapes


def test_dropout_keeps_the_mean_and_each_member_s_rate():
    """Values are 0 or scaled up; whole words are dropped from the embedding; rate 0 changes nothing."""
    rates = dict.fromkeys(DROPOUTS, torch.tensor([0.0, 0.5]))
    drop = Dropout(rates, torch.Generator().manual_seed(0))
    values = torch.ones(2, 400, 20)
    dropped = drop(values, "hidden")
    assert torch.equal(dropped[0], values[0])
    assert set(dropped[1].unique().tolist()) == {0.0, 2.0}
    assert dropped[1].mean().item() == pytest.approx(1, abs=0.05)
    words = drop(values, "embedding")[1]
    assert set(words.sum(-1).unique().tolist()) == {0.0, 40.0}


@pytest.mark.parametrize("name", DROPOUTS)
def test_each_dropout_acts_in_its_place(name):
    """On the table of words, hidden states, shares of attention and the last states: calls are listed."""
    weights, words, calls = population_weights(2), words_of(2, 3, 5), []

    def drop(values, kind):
        calls.append((kind, tuple(values.shape)))
        return values * (kind != name)

    dropped, _ = MODEL.forward(weights, words, memory_of(2, 3, 5), torch.full((2,), 5), drop)
    hidden, shares = ("hidden", (2, 3, 5, 8)), ("attention", (2, 3, 2, 5, 10))
    layers = [shares, hidden, hidden] * 2
    assert calls == [("embedding", (2, 11, 8)), hidden, *layers, ("output", (2, 3, 5, 8))]
    assert not close(dropped, forward(weights, words, filled=5)[0])


# -- training ------------------------------------------------------------------------------------------


def test_gradients_are_those_of_the_mean_loss_of_the_next_segment():
    """Anywhere in the text, which is read again from its end on; at its beginning there is no memory."""
    training, memory = tiny(1), memory_of(1, 3, 5)
    rows = torch.from_numpy(training.text.train[:195].reshape(3, 65))  # 13 segments of 5 words
    following = torch.from_numpy(training.text.train[1:196].reshape(3, 65))
    start = training.state(0)
    weights = {name: start[name][None].requires_grad_() for name in MODEL.shapes}
    for count in (0, 1, 12, 13, 14):
        training.load(0, start | {"count": torch.tensor(count), "memory": memory[0]})
        found = training.gradients()
        place = slice(count % 13 * 5, count % 13 * 5 + 5)
        filled = torch.tensor([5 if count % 13 else 0])
        logits, later = MODEL.forward(weights, rows[None, :, place], memory, filled)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 2), following[:, place].flatten())
        gradients = torch.autograd.grad(loss, list(weights.values()))
        for name, gradient in zip(weights, gradients, strict=True):
            assert close(found[name], gradient), (count, name)
        assert close(training.state(0)["memory"], later[0])


def test_gradients_in_a_batch_are_those_one_by_one():
    """Each member's gradients are what it has alone, with its own weights, place and memory."""
    training = tiny(3)
    training.train([PARAMS] * 3, [0] * 3, 5)
    training.begin(1, 99)  # at another place than the others
    states = [training.state(member) for member in range(3)]
    together = training.gradients()
    for member, state in enumerate(states):
        alone = tiny(1)
        alone.load(0, state)
        for name, gradient in alone.gradients().items():
            assert close(gradient[0], together[name][member]), name


def test_adam_is_that_of_pytorch_for_each_member():
    """Two members with their own learning rate, decay and count take the steps of `torch.optim.AdamW`."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"v": (2, 5), "w": (2, 4, 3)}
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    adam, count = Adam(weights), torch.zeros(2)
    lr, decay = torch.tensor([0.01, 0.1]), torch.tensor([0.5, 0.0])
    peers = [{name: w[m].clone().requires_grad_() for name, w in weights.items()} for m in range(2)]
    others = [
        torch.optim.AdamW(peer.values(), lr=lr[m].item(), weight_decay=decay[m].item(), betas=(0.9, 0.99))
        for m, peer in enumerate(peers)
    ]
    for size in (1.0, 1.0, 0.01, 1.0):  # the third is too small to be clipped
        gradients = {name: size * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        count += 1
        adam.step({name: gradient.clone() for name, gradient in gradients.items()}, count, lr, decay)
        for member, (peer, other) in enumerate(zip(peers, others, strict=True)):
            for name, weight in peer.items():
                weight.grad = gradients[name][member].clone()
            torch.nn.utils.clip_grad_norm_(peer.values(), 1.0)
            other.step()
    for name, weight in weights.items():
        assert close(weight, torch.stack([peer[name] for peer in peers]).detach())


def test_biases_and_scales_do_not_decay():
    """After one update they are the same whatever the weight decay, and all others are not."""
    states = []
    for decay in (0.0, 3.0):
        training = LanguageTraining(1, tiny_text(), replace(TINY, updates=1))
        training.begin(0, 10)
        training.train([{**PARAMS, "decay": decay}], [0], 5)
        states.append(training.state(0))
    for name in MODEL.shapes:
        assert torch.equal(*(state[name] for state in states)) == name.endswith(("_bias", "_scale")), name


@pytest.mark.parametrize("member", [0, 1])
def test_members_are_trained_by_their_own_hyperparameters(member):
    """Beside one of another age, with other dropouts and decay, a member is trained as it is alone."""
    mine = {**PARAMS, **dict.fromkeys(DROPOUTS, 0.0)}
    params, ages = [{**dict.fromkeys(DROPOUTS, 0.6), "decay": 3.0}] * 2, [15, 15]
    params[member], ages[member] = mine, 0
    together, alone = tiny(2), tiny(1)
    alone.begin(0, 10 + member)
    together.train(params, ages, 5)
    alone.train([mine], [0], 6)
    for name, tensor in alone.state(0).items():
        assert close(together.state(member)[name], tensor), name


def test_older_weights_learn_more_slowly():
    """The same update changes them less."""
    changes = []
    for age in (0, 10, 19):
        training = tiny(1)
        before = training.state(0)["words"]
        training.train([PARAMS], [age], 5)
        changes.append((training.state(0)["words"] - before).norm().item())
    assert changes[0] > changes[1] > changes[2] > 0


def test_training_is_a_function_of_state_and_seed():
    """Members that load a state train on to the same bits; another seed gives others."""
    first, again = tiny(2), tiny(2)
    first.train([PARAMS] * 2, [0, 0], 5)
    for member in range(2):
        again.load(member, first.state(member))
    losses = []
    for training, seed in ((first, 6), (again, 6), (again, 7)):
        training.train([PARAMS] * 2, [1, 1], seed)
        losses.append(training.losses("validation"))
    assert losses[0] == losses[1] != losses[2]


def test_the_loss_is_over_all_words():
    """Every word but the first counts once, also those in the last segments, which are not full."""
    training = tiny(2)
    weights = {name: tensor for name, tensor in training.state(0).items() if name in MODEL.shapes}
    for member in range(2):
        training.load(
            member, training.state(0) | {name: torch.zeros_like(w) for name, w in weights.items()}
        )
    assert training.losses("test") == pytest.approx([math.log(11)] * 2)
    assert training.shown([math.log(11)], "test") == pytest.approx([11])


def test_the_loss_is_that_of_rows_that_are_read_with_memory():
    """Two segments of a row are evaluated as one long one, and a word predicts the next of the text."""
    words = np.random.default_rng(1).integers(11, size=251)
    scale = replace(TINY, model={**TINY.model, "layers": 1})
    training = LanguageTraining(2, replace(tiny_text(), validation=words), scale)
    for member in range(2):
        training.begin(member, member)
    states = [training.state(member) for member in range(2)]
    weights = {name: torch.stack([state[name] for state in states]) for name in training.model.shapes}
    rows, following = (torch.from_numpy(each.reshape(25, 10)) for each in (words[:-1], words[1:]))
    logits, _ = forward(weights, rows.expand(2, -1, -1), training.model)
    expected = [
        torch.nn.functional.cross_entropy(each.flatten(0, 1), following.flatten()) for each in logits
    ]
    assert training.losses("validation") == pytest.approx([loss.item() for loss in expected], rel=1e-5)


def test_the_fingerprint_tells_text_and_sizes():
    """Another word or a longer interval is another study, the number of members is not."""
    text = tiny_text()
    other = replace(text, test=text.test[::-1].copy())
    made = [(1, text, TINY), (2, text, TINY), (1, other, TINY), (1, text, replace(TINY, updates=3))]
    fingerprints = [LanguageTraining(*each).data for each in made]
    assert fingerprints[0] == fingerprints[1]
    assert len({*fingerprints}) == 3


def test_the_learning_rate_follows_the_age_unless_it_is_tuned():
    """A cosine from its peak down; `lr` among the hyperparameters replaces it."""
    training = tiny(1)
    rates = training.learning_rates([{}] * 20, list(range(20)))
    assert rates[0] == training.peak_lr
    assert all(one > other for one, other in pairwise(rates[:17]))
    assert [rates[10], rates[19]] == pytest.approx([training.peak_lr / 2, training.peak_lr / 20])
    assert training.learning_rates([{"lr": 0.5}], [3]) == [0.5]
    assert set(training.space(True)) - set(training.space(False)) == {"lr"}
    assert all(hoptim.Space(training.space(tuned)).encode(
        {name: training.hand[name] for name in training.space(tuned)}
    ).size for tuned in (True, False))  # fmt: skip


# -- text ----------------------------------------------------------------------------------------------

PTB = "ptb.{}.txt"


def write_standard(folder, **changed: bytes):
    """Three made files in the format of the Penn Treebank."""
    for part in ("train", "valid", "test"):
        content = changed.get(part, b" the king sent <unk> men \n the men N came \n")
        (folder / PTB.format(part)).write_bytes(content)


def test_the_text_that_comes_along():
    """It has the words of the small scale, the unknown among them, and all parts differ."""
    text = king_james(SCALES["small"].limits)
    assert KING_JAMES.parent.joinpath("README.md").is_file()
    assert (len(text.train), len(text.validation), len(text.test)) == (4000, 6000, 18_000)
    assert text.vocabulary == 500
    assert {text.train.min(), text.train.max()} == {0, 499}
    assert 0 < np.mean(text.validation == 0) < 0.2
    assert text.digest.startswith("ec240258a96d")  # the words that the committed results are of


def test_standard_files_round_trip(tmp_path):
    """Words are numbered by their frequency in the training file, each line with its end."""
    write_standard(tmp_path, valid=b" the queen came \n", test=b" men \n\n")
    text = standard_text(tmp_path, PTB, Limits(100))
    assert text.train.tolist() == [1, 4, 5, 0, 2, 3, 1, 2, 6, 7, 3]
    assert text.validation.tolist() == [1, 0, 7, 3]
    assert text.test.tolist() == [2, 3]
    assert text.vocabulary == 8
    cut = standard_text(tmp_path, PTB, Limits(3, train=6, test=1))
    assert cut.train.tolist() == [1, 2, 0, 0, 0, 0]
    assert cut.test.tolist() == [0]
    assert cut.digest != text.digest


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b" the king \n sent \xff men \n", r"'.*ptb\.valid\.txt' must be UTF-8.*0xff at offset 17 "),
        (b" the king \r\n men \r\n", r"'.*ptb\.valid\.txt' must have lines .* return at offset 10:"),
        (b"", r"'.*ptb\.valid\.txt' must have words.* offset 0:"),
        (b"\n \n\n", r"'.*ptb\.valid\.txt' must have words.* offset 4:"),
    ],
)
def test_damaged_files_are_named_with_the_place(tmp_path, content, told):
    """Encoding, line ends and emptiness are errors that name the file and the byte."""
    write_standard(tmp_path, valid=content)
    with pytest.raises(hoptim.ArgumentError, match=told):
        standard_text(tmp_path, PTB, Limits(10))


def test_errors_of_files_come_before_any_training(tmp_path, capsys):
    """The command ends with a usage error that names the missing file, and no folder is made."""
    write_standard(tmp_path)
    (tmp_path / "ptb.test.txt").unlink()
    with pytest.raises(SystemExit):
        main(["ptb", "--data", str(tmp_path), "--folder", str(tmp_path / "studies"), "--runs", "2"])
    assert "ptb.test.txt' is missing" in capsys.readouterr().err
    assert not (tmp_path / "studies").exists()


def test_own_text_is_dealt_out(tmp_path):
    """A folder's files are read in order; each block of words is in one part; CRLF does not matter."""
    lines = [f"Word{chr(97 + n % 26)} number-{chr(97 + n // 26 % 26)}, and an end." for n in range(1500)]
    (tmp_path / "b.txt").write_bytes("\r\n".join(lines[700:]).encode())
    (tmp_path / "a.txt").write_text("\n".join(lines[:700]) + "\n")
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "c.txt").write_text("\n".join(lines))
    found, whole = own_text(tmp_path, Limits(1000)), own_text(tmp_path / "whole" / "c.txt", Limits(1000))
    assert found.digest == whole.digest
    assert [len(part) % 1000 for part in (found.train, found.validation, found.test)] == [0] * 3
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(hoptim.ArgumentError, match="at least 8000 words, found 3"):
        own_text(tmp_path / "short.txt", Limits(10))
    (tmp_path / "none").mkdir()
    with pytest.raises(hoptim.ArgumentError, match="has no text"):
        own_text(tmp_path / "none", Limits(10))
