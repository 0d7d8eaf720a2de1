#!/usr/bin/env bash
# Runs the tests with less than this shell has: as another user, without user namespaces, or both.
#
#   scripts/test_restricted.sh [--user NAME] [--no-userns] [-- COMMAND ...]
#
#   --user NAME    as that user, with no group, home or temporary folder of anybody else; for root.
#                  An ordinary user stays who it is.
#   --no-userns    in a user namespace that allows no further one, so that no process can make any
#   COMMAND        instead of the tests
#
# Another user gets a copy of the tree and an environment of its own, removed at the end. It must be
# able to run the interpreter, which PYTHON names (default python3).
set -euo pipefail

# Runs inside: gives up the way to make user namespaces, and then what that took.
FORBID='
  echo 0 >/proc/sys/user/max_user_namespaces || exit 125
  if unshare --user true 2>/dev/null; then
    echo "error: user namespaces can still be made" >&2
    exit 125
  fi
  exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"'

# What becomes the other user, and what forbids namespaces, in front of a command.
become=()
nest=()
# Where tests keep files: the address of a socket has 107 characters at most.
place=()

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

can_run() {
  "${become[@]}" "$1" -I -c 'import ssl, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The interpreter itself: what PATH finds may be a script in front of it, or an environment's.
find_interpreter() {
  local user=$1 python=${PYTHON:-python3} found other
  command -v "$python" >/dev/null || fail "no $python on PATH; name one with PYTHON=/path/to/python3"
  found=$("$python" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
  if ! can_run "$found"; then
    for other in /usr/bin/python3 /usr/local/bin/python3; do
      ! can_run "$other" || fail "$user cannot run $found; try: make test-unprivileged PYTHON=$other"
    done
    fail "$user cannot run $found; name one that it can with PYTHON=/path/to/python3"
  fi
  printf '%s' "$found"
}

prepare_other_user() {
  local user=$1 uid gid folder
  uid=$(id -u "$user") && gid=$(id -g "$user") || fail "this machine has no user $user"
  [ "$uid" != 0 ] || fail "root is not restricted"
  # Through env, as setpriv itself still finds what only root may read.
  become=(setpriv --reuid "$uid" --regid "$gid" --clear-groups --inh-caps=-all -- env)
  PYTHON=$(find_interpreter "$user")
  export PYTHON

  folder=$(mktemp -d)
  # shellcheck disable=SC2064  the folder of now
  trap "rm -rf '$folder'" EXIT
  trap 'exit 143' HUP INT TERM
  mkdir "$folder/tree" "$folder/home" "$folder/tmp"
  tar -c --exclude=./.git --exclude='./.venv*' --exclude=./.cache --exclude='./.*_cache' \
    --exclude=./.hypothesis --exclude='./.coverage*' . | tar -x --no-same-owner -C "$folder/tree"
  "$folder/tree/scripts/venv.sh" .venv requirements/dev.txt --editable
  # The last that root does in there: from now on its content is somebody else's.
  chown -R "$uid:$gid" "$folder/tree" "$folder/home" "$folder/tmp"
  chmod 755 "$folder"
  "${become[@]}" test -x "$folder/tree" || fail "$user cannot enter $folder; set TMPDIR to elsewhere"
  cd "$folder/tree"
  export HOME=$folder/home TMPDIR=$folder/tmp USER=$user LOGNAME=$user
  place=(--basetemp "$folder/tmp/p")
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  unset "${!XDG_@}"
}

forbid_namespaces() {
  if "${become[@]}" unshare --user true 2>/dev/null; then
    nest=(unshare --user --map-current-user --keep-caps sh -c "$FORBID" sh)
  else
    printf 'this machine forbids user namespaces already\n'
  fi
}

# In a function, as bash reads a script while it runs, and the tree may change meanwhile.
main() {
  local user='' userns=yes
  while [ $# -gt 0 ]; do
    case $1 in
      --user) [ $# -gt 1 ] || usage; user=$2; shift 2 ;;
      --no-userns) userns=no; shift ;;
      --) shift; break ;;
      *) usage ;;
    esac
  done
  cd "$(dirname "$0")/.."
  unset PYTHONDONTWRITEBYTECODE
  if [ -n "$user" ] && [ "$(id -u)" = 0 ]; then
    prepare_other_user "$user"
  else
    scripts/venv.sh .venv requirements/dev.txt --editable
  fi
  [ "$userns" = yes ] || forbid_namespaces
  # shellcheck disable=SC2086  the arguments are words
  [ $# -gt 0 ] ||
    set -- .venv/bin/python -m pytest -n "${WORKERS:-3}" --dist loadfile "${place[@]}" ${PYTEST_ARGS:-}
  # Not exec: the folder is removed afterwards. The status is the command's.
  "${become[@]}" "${nest[@]}" "$@"
}

main "$@"
exit
