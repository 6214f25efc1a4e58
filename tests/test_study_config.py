"""What makes a study this very study, as it is recorded and read again by later versions."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import pytest

import hoptim
from hoptim.session import study_config
from hoptim.space import space as space_module
from tests.builders import space, study, train


def test_no_optimizer_takes_the_recorded_one(tmp_path):
    """Reopened without `optimizer=`, a study goes on with its own; another one is refused."""
    made = study(tmp_path, optimizer=hoptim.Initiator(resample=0.5))
    made.ask().tell(1.0)
    again = study(tmp_path)
    assert again.optimizer == made.optimizer
    with pytest.raises(hoptim.StudyMismatch, match="optimizer"):
        study(tmp_path, optimizer=hoptim.ROMUL())
    assert train(again).done


def test_no_optimizer_is_the_default_in_a_new_study():
    """A new study without `optimizer=` has `MixedHorizon`."""
    assert study(None).optimizer == hoptim.MixedHorizon()


def test_what_can_be_read_once_is_no_list_of_configurations(tmp_path):
    """It was empty when the settings were compared, and the study that had just been made another one's."""
    with pytest.raises(hoptim.ArgumentError, match="start must be a list of mappings"):
        study(tmp_path / "study", start=iter([{"x": 0.25}]))
    assert not (tmp_path / "study").exists()


def test_no_start_takes_the_recorded_one(tmp_path):
    """Reopened without `start=`, a study's first members still begin where they were told to."""
    study(tmp_path, start=[{"x": 0.25}])
    assert study(tmp_path).ask().params["x"] == 0.25


@dataclass(frozen=True)
class Later(hoptim.ROMUL):
    """ROMUL as a later version has it, with a setting whose absence means False."""

    mirrored: bool = field(default=True, metadata={"before": False})


@dataclass(frozen=True)
class Around(hoptim.Optimizer):
    """An optimizer around another one."""

    optimizer: hoptim.Optimizer

    def propose(self, view, member, rng):
        """Propose what the inner one does."""
        return self.optimizer.propose(view, member, rng)


@dataclass(frozen=True)
class LaterFloat(hoptim.Float):
    """A Float as a later version has it."""

    warp: float = field(default=2.0, metadata={"before": 1.0})


@pytest.fixture
def later(monkeypatch):
    """A later version of hoptim, whose optimizers and dimensions have more settings."""
    Later.__name__, LaterFloat.__name__ = "ROMUL", "Float"
    monkeypatch.setitem(study_config._BUILT_IN, "ROMUL", Later)
    monkeypatch.setattr(space_module, "_KINDS", (LaterFloat, *space_module._KINDS[1:]))


def later_space(warp):
    """The space of the tests with a later version's Float."""
    return {**space(), "x": LaterFloat(0.0, 1.0, warp=warp)}


def test_a_setting_that_came_later_means_the_old_behaviour(tmp_path, request):
    """A study made before has it as it was, and may be opened with exactly that."""
    study(tmp_path, optimizer=hoptim.ROMUL())
    request.getfixturevalue("later")
    for reopened in (hoptim.load(tmp_path), study(tmp_path, space=later_space(1.0))):
        assert isinstance(reopened.optimizer, Later)
        assert reopened.optimizer.mirrored is False
        assert reopened.space.dimensions["x"].warp == 1.0
    assert study(tmp_path, space=later_space(1.0), optimizer=Later(mirrored=False)).ask() is not None
    with pytest.raises(hoptim.StudyMismatch, match=r"optimizer\.mirrored: recorded false, asked for true"):
        study(tmp_path, space=later_space(1.0), optimizer=Later())
    with pytest.raises(hoptim.StudyMismatch, match=r"space\.x\.warp: recorded 1.0, asked for 2.0"):
        study(tmp_path, space=later_space(2.0))


def test_a_setting_that_came_later_within_another_optimizer(tmp_path, request):
    """The same holds for an optimizer that another one is wrapped around, ours or the user's."""
    study(tmp_path / "ours", optimizer=hoptim.Patient(hoptim.ROMUL()))
    study(tmp_path / "own", optimizer=Around(hoptim.ROMUL()))
    request.getfixturevalue("later")
    assert hoptim.load(tmp_path / "ours").optimizer.optimizer.mirrored is False
    assert hoptim.load(tmp_path / "own", optimizer=Around(Later(mirrored=False))).size == 4
    with pytest.raises(hoptim.StudyMismatch, match="mirrored"):
        hoptim.load(tmp_path / "own", optimizer=Around(Later()))


def test_a_setting_without_a_value_before_is_another_optimizer(tmp_path, monkeypatch):
    """A class of ours that has a field more and does not say what its absence means is not taken."""

    @dataclass(frozen=True)
    class Unsaid(hoptim.ROMUL):
        more: int = 1

    study(tmp_path)
    monkeypatch.setitem(study_config._BUILT_IN, "ROMUL", Unsaid)
    assert not isinstance(hoptim.load(tmp_path).optimizer, hoptim.ROMUL)
    assert len(fields(Unsaid)) == len(fields(hoptim.ROMUL)) + 1
