"""Measures pinnace beside the real Velero server: both back up one local cluster into one S3 server, in turns."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from e2e.installation import CREDENTIALS
from e2e_velero.velero_program import Velero, find_velero, served
from integration import cluster_fixtures
from integration.dispatcher_process import Stage
from integration.s3_fixtures import new_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.bench import load, local, run, series
from pinnace.cluster import local_cluster
from pinnace.kube.client import connect

_NAMESPACE = "velero"


@contextlib.contextmanager
def _places(folder: Path) -> Iterator[tuple[local.LocalServers, SeaweedServer, str, Velero]]:
    """A cluster, a bucket on a running S3 server, and the Velero server that has a location there."""
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with cluster_fixtures.cluster_folder() as place:
        cluster = local_cluster.up(place, report=_report)
        apply_crds(cluster_fixtures.tested_cluster(cluster))
        server = SeaweedServer(folder)
        try:
            server.start()
            bucket = new_bucket(server)
            stage = Stage(cluster.kubeconfig, _NAMESPACE, folder, server.url, bucket, CREDENTIALS)
            velero = Velero(find_velero(), cluster.kubeconfig, _NAMESPACE, folder)
            with served(velero, stage, locations={"default": "velero"}) as command:
                yield local.find(place), server, bucket, command
        finally:
            server.kill()


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure each size; writes what `pinnace bench report` reads, and the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, action="append", required=True, help="Sizes of the cluster, growing.")
    parser.add_argument("--rounds", type=int, default=2, help="How often each side runs.")
    parser.add_argument("--to", type=Path, default=Path("bench-results/beside-velero"), help="Folder of the figures.")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    measured = []
    with tempfile.TemporaryDirectory() as folder, _places(Path(folder)) as (servers, s3_server, bucket, velero):
        client, first = connect(kubeconfig=servers.kubeconfig), 0
        for objects in sorted(given.objects):
            load.load_direct(client, servers.etcd_url, series.grown(objects, first=first), report=_report)
            first = objects
            options = run.Options(
                kubeconfig=servers.kubeconfig,
                store_url=s3_server.store_url(bucket, "pinnace"),
                repetitions=given.rounds,
                page_sizes=(0, 500),
                against_command=_command(velero, objects=objects),
                against_pid=velero.server_pid,
                server_pids=servers.pids,
                about=series.about(client),
            )
            measured.append(run.measure(client, options, report=_report))
            name = f"{objects}-beside-velero"
            print(series.keep(measured, name=name, folder=given.to, report_line=_report))


def _command(velero: Velero, *, objects: int) -> str:
    """Velero's own backup of everything; without volumes, of which there are none."""
    place = f"--kubeconfig {velero.kubeconfig} --namespace {velero.namespace}"
    name = f"bench-{objects}-$BENCH_REPETITION"
    return f"{velero.program} {place} backup create {name} --snapshot-volumes=false --wait"


if __name__ == "__main__":
    main()
