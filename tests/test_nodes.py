"""One study on several machines that share a database and a bucket, and lose both and each other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests import nodes, postgres_cluster
from tests.bucket_server import MOTO, BucketServer
from tests.builders import wait_until
from tests.node_process import PATIENCE
from tests.node_site import SIZE, Site
from tests.nodes import BUCKET, SERVERS

pytest.importorskip("s3fs", reason="S3 needs the extra 's3'")
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.remote,
    pytest.mark.skipif(MOTO is None, reason="no moto_server on PATH, nor named by MOTO_SERVER"),
]


@pytest.fixture(scope="module")
def ground():
    """Three nodes, a database and a bucket."""
    if why := nodes.why_missing() or postgres_cluster.why_missing():
        pytest.skip(why)
    with ExitStack() as stack:
        network = stack.enter_context(nodes.network(3))
        bucket = BucketServer("0.0.0.0")
        stack.callback(bucket.stop)
        bucket.start()
        assert bucket.request("PUT", "/bucket") == 200
        rules = stack.enter_context(postgres_cluster.short_folder()) / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all all trust\nhost replication all all trust\n")
        settings = {"listen_addresses": "*", "hba_file": rules, "wal_retrieve_retry_interval": "200ms"}
        yield network, bucket, stack.enter_context(postgres_cluster.cluster(**settings)), settings


@pytest.fixture
def site(ground, tmp_path) -> Iterator[Site]:
    """A study of 20 trials on them."""
    network, bucket, cluster, _ = ground
    made = Site(network, bucket, cluster, tmp_path, steps=5)
    yield made
    made.close()


def test_three_nodes_train_one_study_though_a_worker_on_each_is_killed(site):
    """What was killed is taken back; trials go on from checkpoints that other nodes uploaded."""
    first = [site.start(node, "train") for node in range(3)]
    for worker in first:
        worker.wait_for("train")
    for worker in first:
        worker.send("go")
        worker.wait_for("told")
        worker.wait_for("train", 2)
    second = [site.start(node) for node in range(3)]
    for worker in first:
        worker.kill()
    for worker in second:
        worker.finish()
    site.assert_complete()
    assert all(site.ops("reclaim", worker.at("train")[-1]["trial"]) for worker in first)
    makers = {node.name: second[at].at("continued") for at, node in enumerate(site.network.nodes)}
    assert [r for name, reports in makers.items() for r in reports if r["maker"] != name]


def test_late_tells_of_nodes_that_were_cut_off_are_refused(site):
    """One was cut off behind an upload, one before: both tells are refused, no record names either."""
    behind, before = site.start(0, "published"), site.start(1, "uploading")
    lost = [behind.wait_for("published")["trial"], before.wait_for("uploading")["trial"]]
    for node in site.network.nodes[:2]:
        node.cut()
    rest = site.start(2, "last")
    for trial in lost:
        wait_until(lambda trial=trial: site.ops("tell", trial), PATIENCE)
        assert site.ops("reclaim", trial)
    rest.wait_for("last")
    for worker in (behind, before):
        worker.send("last")  # so that neither takes the other's next trial, too
    for node in site.network.nodes[:2]:
        node.rejoin()
    for worker, trial in zip((behind, before), lost, strict=True):
        assert worker.wait_for("lost")["trial"] == trial
        worker.wait_for("last")
    for worker in site.workers:
        worker.send("")
    for worker in site.workers:
        worker.finish()
    site.assert_complete()
    late = [worker.at("published")[0]["name"] for worker in (behind, before)]
    assert not [name for name in late if name in site.journal.read_text()]
    assert not [name for name in late if site.has(name)]


def test_a_restart_and_a_failover_of_the_database_lose_no_tell(ground, tmp_path):
    """The same workers tell into a restart, and go on with the standby when the primary is killed."""
    network, bucket, _, settings = ground
    with ExitStack() as stack:
        primary = stack.enter_context(postgres_cluster.cluster(**settings))
        standby = stack.enter_context(postgres_cluster.standby(primary, **settings))
        site = Site(network, bucket, primary, tmp_path, steps=12)
        stack.callback(site.close)
        site.url = f"postgresql://postgres@{SERVERS}:{primary.port},{SERVERS}:{standby.port}/postgres?study={site.name}"
        for node in range(3):
            site.start(node, "published", "last", PAUSE="0.1")
        for worker in site.workers:
            worker.wait_for("published")
        primary.stop()
        for worker in site.workers:
            worker.send("last")
        primary.start()
        for worker in site.workers:
            worker.wait_for("told", 2)
        primary.kill()
        site.cluster = standby
        before = site.told()
        assert before < SIZE * site.steps
        standby.promote()
        for worker in site.workers:
            worker.send("")
        for worker in site.workers:
            worker.finish()
        assert site.told() > before
        site.assert_complete()


def test_a_bucket_that_is_away_delays_tells_and_loses_none(site):
    """While nobody reaches it no upload is acknowledged; when it is back all go on."""
    for node in range(3):
        site.start(node, "uploading")
    for worker in site.workers:
        worker.wait_for("uploading")
    site.network.hide(BUCKET)
    for worker in site.workers:
        worker.send("")
    for worker in site.workers:
        wait_until(lambda worker=worker: "Could not" in worker.log, PATIENCE)
    assert not [r for r in site.records() if r["op"] == "tell"]
    assert site.told() == 0
    site.network.show(BUCKET)
    for worker in site.workers:
        worker.finish()
    site.assert_complete()
    assert all(worker.at("told") for worker in site.workers)


def test_workers_of_dask_train_in_nodes(site):
    """A worker of Dask in each node trains, and one is killed; who calls `run` is beside the servers."""
    pytest.importorskip("distributed", reason="needs hoptim[dask]")
    port = str(postgres_cluster.free_port())
    where = f"tcp://{SERVERS}:{port}"
    site.run(None, "distributed.cli.dask_scheduler", "--host", SERVERS, "--port", port, "--no-dashboard")
    words = [where, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", "/tmp"]
    members = [site.run(node, "distributed.cli.dask_worker", *words, POINTS="train") for node in range(3)]
    for member in members:
        wait_until(lambda member=member: "Registered to" in member.log, PATIENCE)
    caller = site.start(None, SCHEDULER=where)
    held = [member.wait_for("train")["trial"] for member in members]
    members[0].kill()
    for member in members[1:]:
        member.send("")
    caller.wait_for("end")
    caller.finish()
    site.assert_complete()
    assert site.ops("reclaim", held[0])


RAY = "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"


@contextmanager
def ray_head(site: Site) -> Iterator[str]:
    """The address of a head of Ray beside the servers, which ends with all of its processes."""
    port = str(postgres_cluster.free_port())
    with postgres_cluster.short_folder() as folder:
        words = ["--head", "--port", port, "--num-cpus", "0", "--include-dashboard", "false"]
        head = site.run(None, *RAY, *words, "--node-ip-address", SERVERS, "--temp-dir", str(folder))
        try:
            wait_until(lambda: "Ray runtime started" in head.log, PATIENCE)
            yield f"{SERVERS}:{port}"
        finally:
            head.running.terminate()
            head.running.wait(PATIENCE)


def test_workers_of_ray_train_in_nodes(site):
    """A worker of Ray in each node trains, and one is killed; who calls `run` is beside the servers."""
    pytest.importorskip("ray", reason="needs hoptim[ray]")

    def held() -> dict[str, int]:
        """Which trial each node's worker was given first."""
        asks = [record for record in site.records() if record["op"] == "ask"]
        return {ask["worker"].partition(".")[0]: ask["trial"] for ask in reversed(asks)}

    machines = site.network.nodes
    with ray_head(site) as head:
        for number, node in enumerate(machines):
            words = ["--address", head, "--node-ip-address", node.address, "--num-cpus", "1"]
            member = site.run(number, *RAY, *words, PAUSE="1")
            wait_until(lambda member=member: "Ray runtime started" in member.log, PATIENCE)
        caller = site.start(None, RAY=head, RAY_DEDUP_LOGS="0")
        caller.wait_for("begin")
        wait_until(lambda: held().keys() == {node.name for node in machines}, PATIENCE)
        subprocess.run([*machines[0].inside, "pkill", "-9", "-f", "^ray::"], check=True)
        caller.wait_for("end")
        caller.finish()
    assert caller.at("told")
    site.assert_complete()
    assert [record for record in site.records() if record["op"] == "reclaim"]
