#!/usr/bin/env bash
# The demo: a backup of the reachable cluster of the current kubeconfig, or else of the local real one, made,
# verified and shown. Sample workloads go to the local cluster only.
set -euo pipefail

name="demo-$(date -u +%Y%m%d%H%M%S)"
store="file://$PWD/backups"

if [ -z "${PINNACE_DEMO_LOCAL:-}" ] && kubectl get --raw /version --request-timeout=5s >/dev/null 2>&1; then
    echo "backing up the cluster of the current kubeconfig: $(kubectl config current-context)"
else
    echo "no cluster answers the current kubeconfig: using the local one (its first build takes about 7 minutes)"
    eval "$(pinnace cluster up --name demo --samples)" # prints `export KUBECONFIG=...`
    trap 'pinnace cluster down --name demo' EXIT
fi

status=0
# It changes nothing in a cluster that may be somebody's: no VolumeSnapshots either.
pinnace backup run "$name" --store "$store" --no-snapshot-volumes || status=$?
# 4 is PartiallyFailed: the backup is there, and names what the cluster would not list.
if [ "$status" != 0 ] && [ "$status" != 4 ]; then exit "$status"; fi
pinnace backup verify "$name" --store "$store"
pinnace backup contents "$name" --store "$store" | sed -n '1,60p'
echo
echo "the backup is in ./backups; look closer with: .venv/bin/pinnace backup describe $name --store $store"
