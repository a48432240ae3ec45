#!/usr/bin/env bash
# Runs every linter: ruff and mypy on Python, shellcheck on shell, hadolint on the Dockerfile,
# TypeScript's compiler and prettier on the backend.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/shellcheck prod-e scripts/*.sh scripts/deployment/*.sh .ci/*
.venv/bin/hadolint backend/Dockerfile
npm --prefix backend run --silent lint
echo "No complaints."
