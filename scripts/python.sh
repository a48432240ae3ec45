#!/usr/bin/env bash
# Runs the project's Python: that of .venv (scripts/setup.sh, or pipenv with an environment in the
# project's folder), of the environment that is active (`pipenv run`, `pipenv shell`), or of
# pipenv's own place. cdktf.json starts the app with it.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."

for python in .venv/bin/python "${VIRTUAL_ENV:-.venv}/bin/python"; do
  if [ -x "$python" ]; then
    exec "$python" "$@"
  fi
done
if command -v pipenv >/dev/null && python=$(pipenv --py 2>/dev/null) && [ -x "$python" ]; then
  exec "$python" "$@"
fi
echo "The Python packages are not installed: run scripts/setup.sh, or pipenv install." >&2
exit 2
