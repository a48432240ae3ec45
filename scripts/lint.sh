#!/usr/bin/env bash
# Runs every linter: ruff and mypy on Python, shellcheck on shell, hadolint on the Dockerfile.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."

.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/shellcheck scripts/*.sh .ci/*
if [ -f backend/Dockerfile ]; then
  .venv/bin/hadolint backend/Dockerfile
fi
echo "No complaints."
