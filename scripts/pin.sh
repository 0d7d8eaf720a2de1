#!/usr/bin/env bash
# Writes requirements/*.txt anew: exact versions of everything, for Python 3.11 and later.
#
#   scripts/pin.sh [--upgrade]
#
# Needs uv on PATH. Without --upgrade, versions stay where the inputs still allow them.
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_SYSTEM_CERTS=1

pin() {
  local output=$1
  shift
  uv pip compile --quiet --no-annotate --no-header --universal --python-version 3.11 \
    --output-file "requirements/$output.txt" "$@"
}

# dev first: base must not differ from it, both are installed into one environment.
pin dev pyproject.toml requirements/base.in --extra dev "$@"
pin base pyproject.toml requirements/base.in --constraint requirements/dev.txt "$@"
pin demo requirements/demo.in "$@"
pin bench-packages requirements/bench-packages.in "$@"
for peer in bench-fastmcp bench-harness; do
  pin "$peer" "requirements/$peer.in" --override requirements/bench-overrides.in "$@"
done
