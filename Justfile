# Every command of the project; `just` alone lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

venv := justfile_directory() / ".venv"
cache := env("XDG_CACHE_HOME", home_directory() / ".cache") / "pinnace"
export PATH := venv / "bin:" + home_directory() / ".cargo/bin:/usr/local/go/bin:" + env("PATH")
export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", cache / "cargo-target")
export UV_PROJECT_ENVIRONMENT := venv

[private]
default:
    @just --list --unsorted

# Tools, dependencies and the extension: everything that the other recipes need
[group('set up')]
setup: dependencies

# The virtual environment, as uv.lock says
[group('set up')]
dependencies:
    @uv sync --quiet --frozen --inexact --no-install-project

# Rewrite the sources in the project's format
[group('develop')]
fmt: dependencies
    ruff format --quiet python tests rust
    ruff check --quiet --fix python tests rust || true
    cargo fmt --all

# ruff, mypy, import-linter, rustfmt, clippy, licences
[group('develop')]
lint: dependencies
    ruff format --check --quiet python tests rust
    ruff check --quiet python tests rust
    mypy --no-error-summary
    PYTHONPATH=python lint-imports --no-logo
    cargo fmt --all --check
    cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
    python rust/licences.py

# What a developer runs after each edit: unit tests without servers
[group('test')]
quick: dependencies
    PYTHONPATH=python pytest -q tests/unit

# Every Rust test: vectors, golden pages, hostile input
[group('test')]
rust:
    cargo test --quiet --locked --release --workspace

# Everything: linters, Rust, unit
[group('test')]
test: lint rust quick
