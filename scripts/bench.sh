#!/usr/bin/env bash
# Runs every benchmark, each answer into FOLDER/<name>.json; fails if any missed its target.
#
#   scripts/bench.sh FOLDER
set -uo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}
folder=$1
failed=()

# Real servers, found by their bare names.
export PATH="$PWD/.venv-demo/bin:$PWD/$folder/node_modules/.bin:$PATH"
mkdir -p "$folder"
for name in install desk retrieval workloads providers scenarios overhead sandbox hostile two_models; do
  arguments=(--json)
  [ "$name" != overhead ] || arguments+=(--peer fastmcp,harness)
  printf '%s\n' "-- $name ${arguments[*]}"
  "$bin/python" "benchmarks/$name.py" "${arguments[@]}" >"$folder/$name.json" </dev/null ||
    failed+=("$name")
  cat "$folder/$name.json"
done

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
