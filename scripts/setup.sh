#!/usr/bin/env bash
# Sets up what the project needs, inside its own folder: .venv from Pipfile.lock, node_modules from
# package-lock.json. Does nothing when they are up to date. Runs on bash 3.2, which macOS has.
#
#   scripts/setup.sh             Python packages and cdktf-cli
#   scripts/setup.sh backend     the same, and the backend's npm packages
#
# PYTHON names the Python to use (default: the first one on PATH that is new enough).
# Exit status: 0 all is there, 2 something is missing on this machine, 1 a download failed.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."
project=$PWD

case ${1:-} in
  "" | backend) ;;
  *)
    echo "setup.sh: '$1' is not known; allowed: backend." >&2
    exit 2
    ;;
esac
with_backend=${1:-}

# What each environment was made from is kept inside it, so that "up to date" is a comparison of
# files. `unfinished` is there while an environment is being made.
python_stamp=.venv/.prod-e
npm_stamp=node_modules/.prod-e
backend_stamp=backend/node_modules/.prod-e

say() { echo "$*" >&2; }

python_ready() {
  [ -x .venv/bin/python ] && [ -x .venv/bin/prod-e ] && [ ! -e "$python_stamp/unfinished" ] &&
    cmp -s Pipfile.lock "$python_stamp/Pipfile.lock" &&
    cmp -s pyproject.toml "$python_stamp/pyproject.toml" &&
    [ "$(cat "$python_stamp/folder" 2>/dev/null)" = "$project" ]
}

npm_ready() { # folder, stamp
  cmp -s "$1/package-lock.json" "$2/package-lock.json"
}

backend_ready() {
  [ -z "$with_backend" ] || [ ! -f backend/package-lock.json ] || npm_ready backend "$backend_stamp"
}

ready() { python_ready && npm_ready . "$npm_stamp" && backend_ready; }

if ready; then
  exit 0
fi

# --- What the machine has -----------------------------------------------------------------------

new_enough() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; }

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    if new_enough "$PYTHON" 2>/dev/null; then
      echo "$PYTHON"
    fi
    return
  fi
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" >/dev/null && new_enough "$candidate" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

node_major() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

# The first one on PATH that jsii takes, or else the first.
find_node() {
  local candidate
  while IFS= read -r candidate; do
    if [ "$(node_major "$candidate")" -ge 22 ]; then
      echo "$candidate"
      return
    fi
  done < <(type -ap node)
  command -v node || true
}

missing=""
lacks() { missing="$missing  - $*"$'\n'; }

python=$(find_python)
node=$(find_node)
if [ -z "$python" ]; then
  if [ -n "${PYTHON:-}" ]; then
    lacks "Python 3.11 or newer with its venv module: PYTHON=$PYTHON is not one."
  else
    lacks "Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv)." \
      "If it is not on PATH, set PYTHON to it."
  fi
fi
if [ -z "$node" ]; then
  lacks "Node.js 22 or newer (https://nodejs.org)."
elif [ "$(node_major "$node")" -lt 20 ]; then
  lacks "Node.js 22 or newer: $node is $("$node" --version)."
elif [ "$(node_major "$node")" -lt 22 ]; then
  say "$node is Node.js $("$node" --version), which still works; it has had no security fixes since"
  say "2026-04-30, and jsii, which CDKTF runs on, has dropped it: install 22 or newer."
elif [ "$node" != "$(command -v node)" ]; then
  say "The first node on PATH is $(node --version), so that this takes $node."
  say "Have PATH begin with the folder of that one: the commands take the first."
  PATH=$(dirname "$node"):$PATH
fi
if ! command -v npm >/dev/null; then
  lacks "npm, which comes with Node.js (https://nodejs.org)."
fi
if [ -n "$missing" ]; then
  say "This machine lacks what prod-e needs:"
  printf '%s' "$missing" >&2
  say "Install it and run the command again."
  exit 2
fi
if ! command -v "${TERRAFORM_BINARY_NAME:-terraform}" >/dev/null; then
  say "Terraform 1.10 or newer is not on PATH (https://developer.hashicorp.com/terraform/install)."
  say "OpenTofu does as well: set TERRAFORM_BINARY_NAME=tofu."
  say "Synthesis and the unit tests work without it; plan, deploy, destroy and demo do not."
fi

# --- One setup at a time ------------------------------------------------------------------------

# The kernel drops the lock when the last process that has descriptor 9 ends, however it ends.
# flock(1) is not on macOS, Python is there anyway.
exec 9>>.setup.lock
lock() { "$python" -c "import fcntl; fcntl.flock(9, fcntl.LOCK_EX | ${1:-0})" 2>/dev/null; }
if ! lock fcntl.LOCK_NB; then
  say "Another setup is running in this folder; waiting for it."
  lock || true
fi
if ready; then
  exit 0
fi

# --- Work ---------------------------------------------------------------------------------------

logs=$(mktemp -d)
jobs=""
finish() {
  local pid
  for pid in $jobs; do
    stop_tree "$pid"
  done
  rm -rf "$logs"
}
stop_tree() {
  local child
  for child in $(ps -A -o pid= -o ppid= | awk -v parent="$1" '$2 == parent { print $1 }'); do
    stop_tree "$child"
  done
  kill "$1" 2>/dev/null || true
}
trap finish EXIT
trap 'say "Setup was interrupted; the next run repairs what is half done."; exit 130' INT
trap 'exit 143' TERM HUP

# The environment is made anew where it cannot be relied on: an earlier run did not finish, its
# Python is gone or too old, or the folder was moved (its scripts name the old one).
make_python() {
  local folder
  folder=$(cat "$python_stamp/folder" 2>/dev/null || echo "$project")
  if [ -e "$python_stamp/unfinished" ] || [ "$folder" != "$project" ] ||
    ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    rm -rf .venv
    mkdir -p "$python_stamp"
    : >"$python_stamp/unfinished"
    "$python" -m venv .venv
  fi
  mkdir -p "$python_stamp"
  : >"$python_stamp/unfinished"
  "$python" - >"$logs/requirements.txt" <<'PYTHON'
import json

with open("Pipfile.lock", encoding="utf-8") as file:
    lock = json.load(file)
for section in ("default", "develop"):
    for name, package in lock[section].items():
        if "version" not in package:
            continue  # The project itself.
        extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
        markers = f" ; {package['markers']}" if package.get("markers") else ""
        hashes = "".join(f" --hash={value}" for value in package["hashes"])
        print(f"{name}{extras}{package['version']}{markers}{hashes}")
PYTHON
  local pip=".venv/bin/python -m pip --disable-pip-version-check --no-input install --no-deps"
  # Of the AWS bindings' two thousand modules few are ever imported: compiling all of them would
  # take longer than everything else. Those that are, and the project's own, are compiled by
  # importing them: where PYTHONDONTWRITEBYTECODE is set, each synthesis would do it anew. It also
  # unpacks what jsii keeps in its cache. Without Node, or with a file in the middle of an edit, the
  # first synthesis does as well.
  $pip --no-compile --require-hashes --progress-bar off -r "$logs/requirements.txt"
  $pip --editable .
  .venv/bin/python -m compileall -q -x 'cdktf_cdktf_provider_\w+[/\\][a-z]|mypy|[/\\]pip[/\\]' \
    "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    constructs scripts || true
  env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -c \
    'import prod_e; prod_e.enable_fast_imports(); import prod_e.app.synthesis' || true
  cp Pipfile.lock pyproject.toml "$python_stamp/"
  echo "$project" >"$python_stamp/folder"
  rm "$python_stamp/unfinished"
}

# `npm ci` starts by removing node_modules, and the stamp with it: a run that did not finish leaves
# nothing that looks finished.
make_npm() { # folder, stamp
  npm --prefix "$1" ci --no-audit --no-fund --no-progress
  mkdir -p "$2"
  cp "$1/package-lock.json" "$2/"
}

started=$SECONDS
say "Setting up the project (once, and again when its locked versions change)."
npm_folders=""
run() { # name, function and its arguments
  local name=$1
  shift
  "$@" >"$logs/$name" 2>&1 &
  jobs="$jobs $!"
}
python_job="" npm_job=""
make_all_npm() {
  local folder
  for folder in $npm_folders; do
    make_npm "$folder" "$folder/node_modules/.prod-e"
  done
}
if ! python_ready; then
  say "- Python packages of Pipfile.lock, into .venv"
  run python make_python
  python_job=$!
fi
if ! npm_ready . "$npm_stamp"; then
  npm_folders="."
fi
if ! backend_ready; then
  npm_folders="$npm_folders backend"
fi
if [ -n "$npm_folders" ]; then
  say "- npm packages of package-lock.json, into node_modules"
  run npm make_all_npm
  npm_job=$!
fi

running() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }
beats=0
while running "$python_job" || running "$npm_job"; do
  sleep 1 &
  wait $! || true
  beats=$((beats + 1))
  if [ $((beats % 5)) -eq 0 ]; then
    state=""
    if running "$python_job"; then
      state="Python: $(grep -c '^Collecting' "$logs/python" || true) of"
      state="$state $(grep -c . "$logs/requirements.txt" 2>/dev/null || true) packages"
      if grep -q '^Installing collected' "$logs/python"; then
        state="Python: installing"
      fi
    fi
    if running "$npm_job"; then
      state="$state${state:+; }npm: installing"
    fi
    say "  $((SECONDS - started)) s: $state"
  fi
done

failed=""
report() { # name, what it was
  say "Setting up $2 failed. The last lines were:"
  tail -n 12 "$logs/$1" | sed 's/^/  /' >&2
  failed=yes
}
if [ -n "$python_job" ] && ! wait "$python_job"; then
  report python "the Python packages"
fi
if [ -n "$npm_job" ] && ! wait "$npm_job"; then
  report npm "the npm packages"
fi
jobs=""
if [ -n "$failed" ]; then
  say "Check the network and the package indexes that pip and npm are configured for, then run the"
  say "command again: it continues with what is missing."
  exit 1
fi
say "The project is set up ($((SECONDS - started)) s)."
