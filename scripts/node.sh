#!/usr/bin/env bash
# Installs pinned npm packages into FOLDER/node_modules, once.
#
#   scripts/node.sh FOLDER PINS       PINS: one name@version a line
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$1
pins=$2
stamp="$folder/node_modules/.ready"

state=$(cksum <"$pins")
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ]; then
  exit 0
fi
if ! command -v npm >/dev/null; then
  printf 'error: npm is missing; run: sudo apt-get install -y nodejs npm\n' >&2
  exit 1
fi
printf 'installing %s into %s/node_modules\n' "$pins" "$folder"
mkdir -p "$folder"
# Comments and empty lines aside, each line is one argument.
mapfile -t packages < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$pins")
npm install --loglevel error --no-audit --no-fund --prefix "$folder" --no-save \
  --no-package-lock --ignore-scripts --legacy-peer-deps "${packages[@]}" </dev/null
printf '%s' "$state" >"$stamp"
