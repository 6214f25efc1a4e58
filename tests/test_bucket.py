"""Checkpoints in object storage: whole or not counted, verified when they come back, gone when dropped."""

from __future__ import annotations

import errno
import os
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from hoptim.errors import ArgumentError, CheckpointError, MissingExtra, StoreError, StudyDamaged
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.locking.patience import limit
from hoptim.store.published import Published
from hoptim.store.remote import trouble
from hoptim.store.remote.bucket import Bucket
from hoptim.store.remote.cache import Cache
from hoptim.store.remote.objects import Objects
from hoptim.store.remote.remote_checkpoints import RemoteCheckpoints
from hoptim.store.remote.remote_orphans import RemoteOrphans
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from tests.builders import advance, saving, study

fsspec = pytest.importorskip("fsspec", reason="object storage needs the extra 'remote'")

pytestmark = pytest.mark.remote

UUID = "0123456789abcdef"


class Reader:
    """Whoever needs a copy."""


@pytest.fixture
def url(tmp_path):
    """A place in the memory of this process."""
    yield f"memory://{tmp_path.name}/p"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def remote(url, tmp_path):
    """Checkpoints there."""
    return RemoteCheckpoints(url, UUID, cache=Cache(tmp_path / "cache"))


@pytest.fixture
def elsewhere(url, tmp_path):
    """The same checkpoints as another machine sees them."""
    return RemoteCheckpoints(url, UUID, cache=Cache(tmp_path / "other"))


def objects(remote):
    """Names in the bucket."""
    return sorted(remote.bucket.names())


def save_folder(path):
    """Write a checkpoint that is a folder, with a name that patterns would match otherwise."""
    (Path(path) / "shards" / "deep").mkdir(parents=True)
    (Path(path) / "empty").mkdir()
    (Path(path) / "shards" / "deep" / "0[1]*? é").write_text("weights")
    (Path(path) / "meta").write_text("")


def save_nothing(path):
    """Make a folder with an empty one in it."""
    (Path(path) / "empty").mkdir(parents=True)


def save_link(path):
    """Make a folder with a link in it."""
    Path(path).mkdir()
    (Path(path) / "last").symlink_to("x")


def save_line_feed(path):
    """Make a folder with a name that has a line feed in it."""
    Path(path).mkdir()
    (Path(path) / "a\nb").write_text("")


def published(remote, number=3, token=17, save=None):
    """A checkpoint that was written and published."""
    draft = Draft.new(number, token)
    remote.write(draft, saving("weights") if save is None else save)
    return remote.publish(draft)


def change(remote, name, data):
    """Put something else in the place of an object."""
    with fsspec.open(remote.path(name), "wb") as file:
        file.write(data)


def refused(*args):
    """What a service does that is away."""
    raise StoreError(errno.ETIMEDOUT, "no answer")


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_file_comes_back_as_it_was(scheme, tmp_path):
    """What a machine publishes another one has, with size, files and digest as recorded."""
    url = f"{scheme}://{tmp_path}/bucket"
    remote = RemoteCheckpoints(url, UUID, cache=Cache(tmp_path / "cache"))
    found = published(remote)
    assert found == Published(found.name, 7, 1, sha256(b"weights").hexdigest())
    assert remote.path(found.name) == f"{url}/{UUID}/{found.name}"
    assert remote.is_there(found.name)
    assert remote.is_whole(found)
    assert remote.is_unchanged(found)
    elsewhere = RemoteCheckpoints(url, UUID, cache=Cache(tmp_path / "other"))
    assert Path(elsewhere.fetch(found, elsewhere)).read_text() == "weights"


def test_a_folder_comes_back_as_it_was(remote, elsewhere):
    """With all files under their names, and the digest that `Content` says; empty folders do not."""
    found = published(remote, save=save_folder)
    lines = [
        f"{sha256(b'').hexdigest()}  meta\n",
        f"{sha256(b'weights').hexdigest()}  shards/deep/0[1]*? é\n",
    ]
    digest = sha256("".join(sorted(lines)).encode()).hexdigest()
    assert found == Published(found.name, 7, 2, digest)
    assert remote.is_unchanged(found)
    path = Path(elsewhere.fetch(found, elsewhere))
    files = {str(each.relative_to(path)): each.read_text() for each in path.rglob("*") if each.is_file()}
    assert files == {"meta": "", "shards/deep/0[1]*? é": "weights"}
    assert not (path / "empty").exists()


@pytest.mark.parametrize("save", [saving("weights"), save_folder])
def test_what_was_published_here_is_not_downloaded(remote, monkeypatch, save):
    """The draft becomes the copy, for the member that goes on here; nothing else is left of it."""
    found = published(remote, save=save)
    monkeypatch.setattr(Objects, "get", None)
    assert Path(remote.fetch(found, remote)) == remote.cache.path(found.name)
    assert os.listdir(remote.cache.folder / "work" / "checkpoints") == []


def test_what_was_published_here_is_not_asked_for_before_it_is_used(remote, elsewhere, monkeypatch):
    """The service is asked where there is no whole copy to continue from, and no lock file comes of it."""
    found, asked, sizes = published(remote), [], Objects.sizes
    monkeypatch.setattr(Objects, "sizes", lambda *args: asked.append(args) or sizes(*args))
    assert (remote.can_begin_from(found), asked) == (True, [])
    assert (elsewhere.can_begin_from(found), len(asked)) == (True, 1)
    assert not elsewhere.cache.folder.exists()
    remote.cache.path(found.name).write_text("weigh")
    assert (remote.can_begin_from(found), len(asked)) == (True, 2)
    change(remote, found.name, b"weigh")
    assert not remote.can_begin_from(found)


def test_a_trial_that_goes_on_here_begins_while_the_bucket_is_away(tmp_path, monkeypatch):
    """Weights that this process has, in memory and in its copy, are not looked for elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = study(tmp_path / "s", size=2, steps=2, checkpoints=f"file://{tmp_path}/bucket")
    advance(made)
    monkeypatch.setattr(Objects, "sizes", refused)
    trial = made.ask()
    assert Path(trial.checkpoint).read_text() == str(trial.parent)


def test_a_copy_stays_while_its_reader_lives(url, tmp_path):
    """Then it goes when another one needs its room."""
    remote = RemoteCheckpoints(url, UUID, cache=Cache(tmp_path / "cache", limit=10))
    first, reader = published(remote), Reader()
    path = Path(remote.fetch(first, reader))
    second = published(remote, 4, 18)
    assert path.exists()
    del reader
    remote.cache.remove(second.name)
    remote.fetch(second, remote)
    assert not path.exists()


def test_a_cache_that_cannot_be_written_does_not_undo_a_tell(remote, monkeypatch, caplog):
    """What is uploaded is published, wherever the next one finds it."""

    def full(self, name, source):
        raise StoreError(28, "No space left on device.")

    monkeypatch.setattr(Cache, "keep", full)
    found = published(remote)
    assert remote.is_unchanged(found)
    assert "No space left on device. The checkpoint is published" in caplog.text
    assert os.listdir(remote.cache.folder / "work" / "checkpoints") == []
    monkeypatch.undo()
    assert Path(remote.fetch(found, remote)).read_text() == "weights"


@pytest.mark.parametrize(
    ("save", "said"),
    [
        (save_nothing, "has no file in it"),
        (save_link, "'last'.*is a link"),
        (save_line_feed, "not printable"),
    ],
)
def test_what_object_storage_cannot_keep_is_refused(remote, save, said):
    """Folders without files, links, and names with line feeds: nothing of them is uploaded."""
    with pytest.raises(CheckpointError, match=said):
        published(remote, save=save)
    assert objects(remote) == []


def test_what_is_published_is_never_replaced(remote):
    """Told again from the same draft: it is there already, or the new one has a new name."""
    draft = Draft.new(0, 1)
    remote.write(draft, saving("a"))
    first = remote.publish(draft)
    assert remote.publish(draft) == first
    remote.write(draft, saving("b"))
    second = remote.publish(draft)
    assert second.name != first.name
    assert remote.is_unchanged(first)
    remote.cache.remove(draft.name)
    with pytest.raises(CheckpointError, match=r"trial\.draft"):
        remote.publish(draft)


def test_an_upload_that_was_cut_is_not_acknowledged(remote, monkeypatch):
    """Sizes are compared; what did arrive goes when the claim ends."""

    def put(self, path, key):
        change(remote, key, Path(path).read_bytes()[:-1])

    monkeypatch.setattr(Objects, "put", put)
    with pytest.raises(StoreError, match="6 bytes in 1 files, expected 7 in 1"):
        published(remote)
    assert len(objects(remote)) == 1
    remote.forget(3, 16, ended=True)
    assert len(objects(remote)) == 1
    remote.forget(3, 17, ended=False)
    assert objects(remote) == []


@pytest.mark.parametrize("data", [b"weightS", b"weight"])
def test_a_changed_checkpoint_is_noticed(remote, elsewhere, data):
    """By its size at a look, by its digest when it is read or downloaded; no copy of it stays."""
    found = published(remote)
    change(remote, found.name, data)
    assert remote.is_whole(found) == (len(data) == 7)
    assert not remote.is_unchanged(found)
    with pytest.raises(StudyDamaged, match="is not what was published"):
        elsewhere.fetch(found, elsewhere)
    assert os.listdir(elsewhere.cache.folder) == [f"{found.name}.lock"]


@pytest.mark.parametrize("save", [saving("weights"), save_folder])
def test_a_dropped_checkpoint_is_gone(remote, elsewhere, save):
    """For everybody: the objects and the copy here; who comes too late is told so."""
    found, other = published(remote, save=save), published(remote, 4, 18)
    remote.drop([found.name])
    assert objects(remote) == [other.name]
    assert not remote.is_there(found.name)
    assert not remote.is_whole(found)
    assert not remote.cache.path(found.name).exists()
    with pytest.raises(CheckpointError, match="was dropped, or lost"):
        elsewhere.fetch(found, elsewhere)


def test_a_dropped_folder_leaves_no_empty_ones_on_a_disk(tmp_path):
    """Where a bucket is a folder, all folders of a checkpoint go with its files, those of others stay."""
    remote = RemoteCheckpoints(f"file://{tmp_path}/bucket", UUID, cache=Cache(tmp_path / "cache"))
    found, other = published(remote, save=save_folder), published(remote, 4, 18, save=save_folder)
    remote.drop([found.name])
    assert os.listdir(tmp_path / "bucket" / UUID) == [other.name]
    assert remote.is_unchanged(other)


def test_a_checkpoint_that_is_dropped_while_it_is_read_is_said_to_be_gone(remote, elsewhere, monkeypatch):
    """That is no trouble of the service, so it is not tried again."""
    found = published(remote)
    listed = remote.bucket._objects.sizes(found.name)
    remote.drop([found.name])
    monkeypatch.setattr(Objects, "sizes", lambda self, key="", patiently=False: listed)
    with pytest.raises(CheckpointError, match="went while it was read"):
        elsewhere.fetch(found, elsewhere)
    with pytest.raises(CheckpointError, match="went while it was read"):
        remote.is_unchanged(found)


def test_a_download_that_ended_early_is_begun_again(remote, elsewhere, monkeypatch, caplog):
    """Whether or not the library says so; the copy is whole."""
    found, kind = published(remote), type(fsspec.filesystem("memory"))
    real, cut = kind.get_file, [1, 2]

    def get_file(self, key, path):
        real(self, key, path)
        if cut:
            os.truncate(path, cut.pop())

    monkeypatch.setattr(kind, "get_file", get_file)
    monkeypatch.setattr(trouble, "FIRST_PAUSE", 0.0)
    assert Path(elsewhere.fetch(found, elsewhere)).read_text() == "weights"
    assert caplog.text.count("It is tried again") == 2


@pytest.mark.parametrize("save", [saving("weights"), save_folder])
def test_two_may_download_at_once(remote, elsewhere, url, monkeypatch, save):
    """Whoever comes second finds the copy of the first, and both may use it."""
    found, real = published(remote, save=save), Objects.get
    second = RemoteCheckpoints(url, UUID, cache=elsewhere.cache)

    def get(self, key, path, size):
        if self is elsewhere.bucket._objects:
            second.fetch(found, second)
        real(self, key, path, size)

    monkeypatch.setattr(Objects, "get", get)
    elsewhere.fetch(found, elsewhere)
    assert elsewhere.cache.has(found)
    assert sorted(os.listdir(elsewhere.cache.folder)) == [found.name, f"{found.name}.lock"]


def test_a_machine_without_a_place_for_drafts_says_so(url, tmp_path):
    """As where the home folder cannot be written."""
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StoreError, match="Could not make"):
        RemoteCheckpoints(url, UUID, cache=Cache(tmp_path / "cache")).draft(Draft.new(3, 17))


def test_names_that_lead_elsewhere_are_not_written(remote, monkeypatch, tmp_path):
    """Others may write in the bucket; what they put there stays within the cache."""
    found = published(remote, save=save_folder)
    remote.cache.remove(found.name)
    monkeypatch.setattr(Objects, "sizes", lambda self, key="", patiently=False: {f"{key}/../../../evil": 7})
    monkeypatch.setattr(Objects, "get", lambda self, key, path, size: path.write_text("x" * size))
    with pytest.raises(StudyDamaged, match=r"'\.\./\.\./\.\./evil'"):
        remote.fetch(found, remote)
    assert not list(tmp_path.rglob("evil"))


def test_a_claim_that_was_taken_back_leaves_nothing(remote):
    """Its drafts and objects go, those of other claims do not; an abandoned draft goes wherever it is."""
    lost, kept = published(remote, 3, 17), published(remote, 3, 170)
    remote.write(Draft(3, 17, "0123abcd"), saving("x"))
    remote.clear([(3, 17)])
    assert objects(remote) == [kept.name]
    assert not os.path.lexists(remote.draft(Draft(3, 17, "0123abcd")))
    assert not remote.is_there(lost.name)
    remote.abandon(Draft.of(kept.name))
    assert objects(remote) == []


def test_a_drop_that_fails_is_left_for_later(remote, monkeypatch):
    """Nothing that is dropped is needed, so no tell waits long or fails for it."""
    found, waits = published(remote), []

    def refused(self, key):
        waits.append(limit().left)
        raise StoreError(13, "Permission denied.")

    monkeypatch.setattr(Objects, "remove", refused)
    remote.drop([found.name])
    assert remote.is_there(found.name)
    (longest,) = waits
    assert 0 < longest <= 2


@pytest.mark.parametrize("save", [saving("weights"), save_folder])
def test_a_fork_takes_its_checkpoints_from_anywhere(remote, url, tmp_path, monkeypatch, save):
    """From a local path, from the same bucket without a download, or from another kind of storage."""
    local = Checkpoints(tmp_path / "local", "local")
    (tmp_path / "local").mkdir()
    found = published(local, 0, 1, save)
    first = remote.adopt(local.path(found.name), Draft.new(0, 2))
    far = RemoteCheckpoints(f"file://{tmp_path}/far", UUID, cache=Cache(tmp_path / "cache2"))
    second = far.adopt(remote.path(first.name), Draft.new(0, 3))
    fork = RemoteCheckpoints(url, "fedcba98", cache=Cache(tmp_path / "cache3"))
    monkeypatch.setattr(Objects, "get", None)
    third = fork.adopt(remote.path(first.name), Draft.new(0, 4))
    assert first[1:] == second[1:] == third[1:]
    assert far.is_unchanged(second)
    assert fork.is_unchanged(third)
    assert Path(local.path(found.name)).exists()
    with pytest.raises(CheckpointError, match="was dropped, or lost"):
        fork.adopt(remote.path("9.9-00000000"), Draft.new(0, 5))


def test_a_study_of_format_1_is_refused(remote):
    """Its tells name no checkpoint, so its names are used twice."""
    with pytest.raises(ArgumentError, match="an earlier version of hoptim"):
        remote.replace(Draft.new(3, 17), "3.17")


def test_scratch_is_where_all_machines_have_it(remote, url, tmp_path):
    """In the study's directory if it has one, else on this machine; it goes when its trial ends."""
    (tmp_path / "study").mkdir()
    shared = RemoteCheckpoints(url, UUID, tmp_path / "study", Cache(tmp_path / "cache"))
    for checkpoints, place in ((remote, tmp_path / "cache" / "work"), (shared, tmp_path / "study")):
        assert checkpoints.scratch(4) == place / "scratch" / "01234567-4"
        checkpoints.forget(4, 1, ended=False)
        assert checkpoints.scratch(4).is_dir()
        checkpoints.forget(4, 1, ended=True)
        assert list((place / "scratch").iterdir()) == []


def test_a_draft_is_known_by_its_path(remote, elsewhere):
    """As `tell(checkpoint=trial.draft)` needs it, on the machine where it is."""
    draft = Draft.new(3, 17)
    assert remote.draft_at(remote.draft(draft)) == draft
    assert elsewhere.draft_at(remote.draft(draft)) is None


def test_orphans_are_what_no_claim_and_no_record_owns(remote, tmp_path):
    """Objects and drafts of killed workers go; what is recorded, held, later or another's stays."""
    saved, lost = published(remote, 0, 10), published(remote, 1, 11, save_folder)
    twice, held = published(remote, 0, 10), published(remote, 3, 23)
    later = published(remote, 4, 40)
    for token in (11, 23):
        remote.write(Draft(1, token, "0123abcd") if token == 11 else Draft(3, 23, "0123abcd"), saving("x"))
    change(remote, "readme", b"of somebody")
    state = State(StudyShape(2, 2, 0, 1))
    state.n, state.saved = 40, {0: saved}
    trial = TrialRecord(3, 1, 1, None, {}, [], None, 0, 0, 0.0, 0, 0, token=23)
    state.open.add(trial)
    state.open.claim(trial, "w")
    orphans = RemoteOrphans(tmp_path, UUID, remote.bucket, remote.cache)
    found = orphans.find(state)
    assert objects(remote) == sorted([saved.name, lost.name, twice.name, held.name, later.name, "readme"])
    orphans.remove(found)
    assert objects(remote) == sorted([saved.name, held.name, later.name, "readme"])
    work = tmp_path / "cache" / "work" / "checkpoints"
    assert os.listdir(work) == [".draft-01234567-3.23-0123abcd"]


def test_no_look_for_orphans_holds_the_lock(remote, tmp_path, monkeypatch, caplog):
    """The bucket is asked after it; a bucket that does not answer holds up nobody who joins."""
    orphans = RemoteOrphans(None, UUID, remote.bucket, remote.cache)

    def refused(self, key="", patiently=False):
        raise StoreError(13, "Permission denied.")

    monkeypatch.setattr(Objects, "sizes", refused)
    orphans.remove(orphans.find(State(StudyShape(2, 2, 0, 1))))
    assert "Permission denied. Nothing needs it" in caplog.text


def test_where_a_local_checkpoint_is_nothing_is_fetched(tmp_path):
    """Callers need not know where checkpoints are kept."""
    local = Checkpoints(tmp_path, UUID)
    found = published(local)
    assert local.fetch(found, local) == local.path(found.name)


def test_what_is_not_installed_is_said(monkeypatch):
    """With the extra that brings it; a protocol that nobody knows is an argument that cannot work."""
    with pytest.raises(ArgumentError, match="knows no protocol 'carrier'"):
        Bucket("carrier://pigeon", UUID)

    def absent(protocol):
        raise ImportError("Install s3fs")

    monkeypatch.setattr(fsspec, "get_filesystem_class", absent)
    with pytest.raises(MissingExtra, match=r"\[s3\]"):
        Bucket("s3://bucket", UUID)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"\[remote\]"):
        Bucket("s3://bucket", UUID)
