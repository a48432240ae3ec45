#!/usr/bin/env bash
# Makes Pipfile.lock from Pipfile and package-lock.json from package.json, without the address of
# any package index in them: they say what to install (with its hashes), not from where.
#
#   scripts/lock.sh            both
#   scripts/lock.sh python     Pipfile.lock alone
#   scripts/lock.sh npm        package-lock.json alone
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."

PIPENV_VERSION=2026.10.3

lock_python() {
  local scratch=$1
  echo "Locking Python packages with pipenv $PIPENV_VERSION." >&2
  "${PYTHON:-python3}" -m venv "$scratch/pipenv"
  "$scratch/pipenv/bin/python" -m pip install --quiet --disable-pip-version-check \
    "pipenv==$PIPENV_VERSION"
  # Pipenv makes an environment of its own to resolve in; it goes away with the rest.
  WORKON_HOME="$scratch/environments" PIPENV_VENV_IN_PROJECT=0 PIPENV_IGNORE_VIRTUALENVS=1 \
    PIPENV_YES=1 "$scratch/pipenv/bin/python" -m pipenv lock >&2
  "$scratch/pipenv/bin/python" - Pipfile.lock <<'PYTHON'
import json
import sys

path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    lock = json.load(file)
lock["_meta"]["sources"] = []
for section in ("default", "develop"):
    for package in lock[section].values():
        package.pop("index", None)
with open(path, "w", encoding="utf-8") as file:
    json.dump(lock, file, indent=4, sort_keys=True)
    file.write("\n")
PYTHON
}

lock_npm() {
  echo "Locking npm packages." >&2
  npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund >&2
}

what=${1:-all}
case $what in
  all | python | npm) ;;
  *)
    echo "lock.sh: '$what' is not known; allowed: python, npm." >&2
    exit 2
    ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ "$what" != npm ]; then
  lock_python "$scratch"
fi
if [ "$what" != python ]; then
  lock_npm
fi
