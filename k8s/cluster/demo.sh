#!/usr/bin/env bash
# The demo: a backup of the reachable cluster of the current kubeconfig, or else of the local real one, made,
# verified and shown. Sample workloads go to the local cluster only.
set -euo pipefail

name="demo-$(date -u +%Y%m%d%H%M%S)"
store="file://$PWD/backups"
context=()

if [ -z "${PINNACE_DEMO_LOCAL:-}" ] && kubectl get --raw /version --request-timeout=5s >/dev/null 2>&1; then
    echo "backing up the cluster of the current kubeconfig: $(kubectl config current-context)"
else
    echo "no cluster answers the current kubeconfig: using the local one (its first build takes about 7 minutes)"
    pinnace cluster up --samples
    context=(--kubeconfig "$(pinnace cluster status --output json | python -c 'import json,sys; print(json.load(sys.stdin)["kubeconfig"])')")
    trap 'pinnace cluster down' EXIT
fi

status=0
pinnace backup run "$name" --store "$store" "${context[@]}" || status=$?
# 4 is PartiallyFailed: the backup is there, and names what the cluster would not list.
if [ "$status" != 0 ] && [ "$status" != 4 ]; then exit "$status"; fi
pinnace backup verify "$name" --store "$store"
pinnace backup contents "$name" --store "$store" | head -n 60
echo
echo "the backup is in ./backups; look closer with: .venv/bin/pinnace backup describe $name --store $store"
