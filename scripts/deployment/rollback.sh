#!/usr/bin/env bash
# Lets a service run again what it ran before, waits for it and verifies it. Sets the project up
# first where that is needed. Works from any folder, without the AWS CLI.
#
#   scripts/deployment/rollback.sh backend                 choose from a list
#   scripts/deployment/rollback.sh backend --to v1.3.2     a tag, a digest, or a revision
#   scripts/deployment/rollback.sh --help                  all options, as of `prod-e rollback`
#
# Exit status: 0 it runs, 1 ECS did not keep it or AWS failed, 2 something for you to put right.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/../.."

scripts/setup.sh
exec .venv/bin/prod-e rollback "$@"
