"""The commands `images`, `cifar10` and `cifar100`: what they read, refuse and resume."""

from __future__ import annotations

import json
import pickle

import pytest

import hoptim
from hoptim.benchmarks.__main__ import main
from hoptim.benchmarks.studies.image_options import Cifar10Options, ImageOptions
from tests.image_files import IDX, write_cifar10, write_cifar100, write_idx

pytest.importorskip("torch")

from hoptim.benchmarks.studies.images import ImageTraining

SMALL = ("--runs", "2", "--members", "2", "--workers", "1", "--methods", "ROMUL")


@pytest.mark.parametrize(
    ("name", "write"), [("images", write_idx), ("cifar10", write_cifar10), ("cifar100", write_cifar100)]
)
def test_each_command_trains_on_its_own_files(tmp_path, capsys, monkeypatch, name, write):
    """Made files in the exact formats are read, trained on and reported, in percent."""
    monkeypatch.setattr(ImageTraining, "steps", 2)
    write(tmp_path)
    file = tmp_path / "result.json"
    assert main([name, "--data", str(tmp_path), "--json", str(file), *SMALL]) == 0
    assert name in capsys.readouterr().out.splitlines()[0]
    result = json.loads(file.read_text())
    assert result["settings"]["scale"] == "small"
    assert all(0 <= error <= 100 for error in result["methods"][0]["test"])


def test_damage_is_told_before_anything_is_trained(tmp_path, capsys):
    """The command ends with the exit code of wrong arguments, and with file and offset."""
    write_idx(tmp_path)
    file = tmp_path / IDX[3]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SystemExit, match="2"):
        main(["images", "--data", str(tmp_path), *SMALL])
    assert f"{IDX[3]}' must end at offset 20" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_needs_a_folder(capsys, name):
    """There is no fallback for CIFAR."""
    with pytest.raises(SystemExit, match="2"):
        main([name, *SMALL])
    assert "--data" in capsys.readouterr().err
    with pytest.raises(hoptim.ArgumentError, match="needs the folder"):
        Cifar10Options()


def test_an_unknown_scale_is_refused():
    """The sizes are listed."""
    with pytest.raises(hoptim.ArgumentError, match=r"\['small', 'paper'\], found 'large'"):
        ImageOptions(scale="large")


def test_digits_are_the_fallback():
    """Without a folder there are scikit-learn's digits, in worker processes, too."""
    pytest.importorskip("sklearn")
    make = pickle.loads(pickle.dumps(ImageOptions().training))
    assert make(1).data == ImageOptions().training(2).data


def test_a_folder_goes_on_with_the_same_images_only(tmp_path, capsys, monkeypatch):
    """The same command shows what is there without training again; another label makes it another study."""
    monkeypatch.setattr(ImageTraining, "steps", 2)
    folders = [tmp_path / name for name in ("kept", "images", "others")]
    for folder in folders[1:]:
        folder.mkdir()
        write_idx(folder)
    labels = folders[2] / IDX[1]
    content = labels.read_bytes()
    labels.write_bytes(content[:-1] + bytes([(content[-1] + 1) % 10]))
    kept, images, others = map(str, folders)
    assert main(["images", "--folder", kept, "--data", images, *SMALL]) == 0
    table = capsys.readouterr().out.splitlines()[:5]
    monkeypatch.setattr(ImageTraining, "train", None)
    assert main(["images", "--folder", kept, "--data", images, *SMALL]) == 0
    assert capsys.readouterr().out.splitlines()[:5] == table
    with pytest.raises(SystemExit, match="2"):
        main(["images", "--folder", kept, "--data", others, *SMALL])
    assert "give another" in capsys.readouterr().err
