#!/usr/bin/env bash
# Builds a virtual environment from a pinned requirements file, once.
#
#   scripts/venv.sh FOLDER REQUIREMENTS [--editable]
#
# --editable also installs this project into it. PYTHON names the interpreter (default python3).
# A stamp inside FOLDER remembers what was installed, so the second call costs a few milliseconds.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$1
requirements=$2
editable=${3:-}
python=${PYTHON:-python3}
stamp="$folder/.ready-$(basename "$requirements" .txt)"

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

command -v "$python" >/dev/null || fail "no $python on PATH; name one with PYTHON=/path/to/python3"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$python is Python $version, toolweft needs 3.11 or newer; try: make PYTHON=python3.12"

state="python $version $(cat "$requirements" | cksum)"
[ -z "$editable" ] || state="$state editable $(cksum <pyproject.toml) $PWD"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] && "$folder/bin/python" -c ''; then
  exit 0
fi

# An environment of another Python, or one whose Python is gone, is of no use.
if [ -e "$folder" ]; then
  found=$("$folder/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
  [ "$found" = "$version" ] || rm -rf "$folder"
fi

printf 'building %s from %s (Python %s)\n' "$folder" "$requirements" "$version"
if command -v uv >/dev/null; then
  # The system's certificates, as pip uses them on most distributions.
  export UV_SYSTEM_CERTS=1
  [ -x "$folder/bin/python" ] || uv venv --quiet --python "$(command -v "$python")" "$folder"
  install=(uv pip install --quiet --python "$folder/bin/python")
else
  if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    package=$(basename "$python")
    case $package in python3*) ;; *) package=python3 ;; esac
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
      fail "$python cannot make virtual environments; run: sudo apt-get install -y $package-venv"
    "$python" -m venv "$folder"
  fi
  install=("$folder/bin/python" -m pip install --quiet --no-input --disable-pip-version-check)
fi

# The file is complete, so nothing is resolved again.
"${install[@]}" --no-deps -r "$requirements"
if [ -n "$editable" ]; then
  "${install[@]}" --no-deps --no-build-isolation -e .
fi
printf '%s' "$state" >"$stamp"
