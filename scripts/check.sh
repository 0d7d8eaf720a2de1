#!/usr/bin/env bash
# Runs every static gate, all of them even when one fails, and fails if any did.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}
guest=src/toolweft/sandbox/guest
failed=()

gate() {
  local name=$1
  shift
  printf '%s\n' "-- $name"
  "$@" || failed+=("$name")
}

gate "ruff" "$bin/ruff" check --quiet .
gate "format" "$bin/ruff" format --check --quiet .
gate "types" "$bin/mypy"
gate "layers" "$bin/lint-imports" --no-logo
gate "bandit" "$bin/bandit" --quiet --configfile pyproject.toml --exclude "$guest" --recursive src
# What runs inside the sandbox evaluates, executes and mounts a /tmp of its own: that is its job.
gate "bandit, guest" "$bin/bandit" --quiet --configfile pyproject.toml --recursive "$guest" \
  --skip B101,B105,B106,B107,B108,B307,B404,B606
gate "secrets" "$bin/python" scripts/check_secrets.py
gate "sizes" "$bin/python" scripts/check_sizes.py
gate "hosts" "$bin/python" scripts/check_hosts.py

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
printf 'all gates hold\n'
