"""For tests: a study on three nodes, with its servers, and what is left of it when it is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.bucket_server import BucketServer
from tests.builders import ROOT
from tests.node_process import Process
from tests.nodes import BUCKET, SERVERS, Network
from tests.postgres_cluster import Cluster
from tests.reader import judge, read

SIZE = 4


class Site:
    """Three nodes, and servers that they reach.

    Args:
        network: The nodes and the network.
        bucket: Server of object storage.
        cluster: Server of the database.
        folder: Folder for what is exported, by whose name the study goes.
        steps: Trials of each of its `SIZE` members.
    """

    def __init__(
        self, network: Network, bucket: BucketServer, cluster: Cluster, folder: Path, steps: int
    ) -> None:
        self.network, self.bucket, self.cluster, self._folder = network, bucket, cluster, folder
        self.name, self.steps = folder.name, steps
        self.url = f"postgresql://postgres@{SERVERS}:{cluster.port}/postgres?study={self.name}"
        self.workers: list[Process] = []

    def start(self, node: int | None, *points: str, **environment: str) -> Process:
        """Start a worker in a node, or beside the servers, that stops at some points."""
        words = [self.url, f"s3://bucket/{self.name}", str(SIZE), str(self.steps)]
        return self.run(node, "tests.node_train", *words, POINTS=" ".join(points), **environment)

    def run(self, node: int | None, module: str, *words: str, **environment: str) -> Process:
        """Run a module in a node, or beside the servers."""
        whole = {
            "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": "/tmp",
            "AWS_MAX_ATTEMPTS": "1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://{BUCKET}:{self.bucket.port}",
        }  # fmt: skip
        start = Process if node is None else self.network.nodes[node].run
        self.workers.append(start(["-m", module, *words], {**whole, **environment}))
        return self.workers[-1]

    def records(self) -> list[dict[str, Any]]:
        """Return the records, exported without hoptim."""
        rows = self.cluster.ask(
            "SELECT line FROM hoptim_record JOIN hoptim_study ON hoptim_study.id = study WHERE name = %s "
            "ORDER BY n",
            self.name,
        )
        self.journal.write_text("".join(f"{line}\n" for (line,) in rows))
        return read(self.journal) if rows else []

    @property
    def journal(self) -> Path:
        """Return the file with what was exported last."""
        return self._folder / "journal.jsonl"

    def ops(self, op: str, trial: int) -> list[dict[str, Any]]:
        """Return the records of one kind of a trial."""
        return [r for r in self.records() if r["op"] == op and r["trial"] == trial]

    def told(self) -> int:
        """Return how many tells were acknowledged to workers so far."""
        return sum(len(worker.at("told")) for worker in self.workers)

    def has(self, name: str) -> bool:
        """Return whether the bucket has a checkpoint, looked up around the address of the nodes."""
        (uuid,) = self.cluster.ask("SELECT uuid FROM hoptim_study WHERE name = %s", self.name)[0]
        return self.bucket.request("HEAD", f"/bucket/{self.name}/{uuid}/{name}") == 200

    def assert_complete(self) -> None:
        """Every step was trained once, nothing acknowledged is lost, each recorded checkpoint is there."""
        records = self.records()
        said = [(r["trial"], r["value"]) for worker in self.workers for r in worker.at("told")]
        wrong, places = judge(self.journal, said)
        assert wrong == []
        assert places == [(member, step) for member in range(SIZE) for step in range(self.steps)]
        dropped = {trial for record in records for trial in record.get("drops", ())}
        kept = [r for r in records if r["op"] == "tell" and r["trial"] not in dropped]
        assert kept
        assert [r["trial"] for r in kept if not self.has(r["checkpoint"]["name"])] == []

    def close(self) -> None:
        """Kill all workers."""
        for worker in self.workers:
            worker.close()
