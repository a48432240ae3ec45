#!/usr/bin/env bash
# Builds a service's image, pushes it to ECR and moves its tags; the service then deploys it. Sets
# the project up first where that is needed. Works from any folder, without the AWS CLI.
#
#   scripts/deployment/build-and-push.sh backend
#   scripts/deployment/build-and-push.sh --help     all options, the same as of `prod-e push`
#
# Exit status: 0 pushed, 1 Docker, the registry or AWS failed, 2 something for you to put right.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/../.."

scripts/setup.sh
exec .venv/bin/prod-e push "$@"
