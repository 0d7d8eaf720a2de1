#!/usr/bin/env bash
# A private container engine to test against: Podman and runc, with storage of its own in FOLDER.
#
#   scripts/container_engine.sh start FOLDER   builds the image once, starts the engine, prints the
#                                              two variables the tests read
#   scripts/container_engine.sh stop FOLDER    stops it and removes its containers
#   scripts/container_engine.sh image FOLDER   only builds FOLDER/image.tar, for `docker import`
#
# As root, on Debian or Ubuntu, with:
#   apt-get install --no-install-recommends podman runc conmon netavark debootstrap
# The image is made of Debian packages; no registry is asked. SUITE and MIRROR choose others.
set -euo pipefail

action=${1:-}
folder=${2:-}
suite=${SUITE:-bookworm}
image=localhost/toolweft-python

if [ -z "$folder" ] || [ "$(id -u)" != 0 ]; then
  sed -n '2,12s/^# \{0,1\}//p' "$0"
  exit 2
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
socket="$folder/engine.sock"

# crun, Podman's first choice, cannot run where both versions of cgroups are mounted.
command=(podman --root "$folder/storage" --runroot "$folder/run" --runtime runc)

engine() {
  "${command[@]}" "$@"
}

make_image() {
  if [ -f "$folder/image.tar" ]; then
    return
  fi
  rm -rf "$folder/rootfs"
  # Every module of the standard library, and nothing to install more with.
  debootstrap --variant=minbase --include=python3-minimal,libpython3-stdlib \
    "$suite" "$folder/rootfs" ${MIRROR:+"$MIRROR"} >"$folder/debootstrap.log"
  # In a read-only container Python could not keep what it compiles, and would do so at each start.
  chroot "$folder/rootfs" python3 -m compileall -q -o 0 /usr/lib/python3* >"$folder/compile.log" || true
  tar -C "$folder/rootfs" --one-file-system --exclude='./proc/*' --exclude='./sys/*' \
    --exclude='./var/cache/*' --exclude='./var/lib/apt/lists/*' -cf "$folder/image.tar.part" .
  rm -rf "$folder/rootfs"
  mv "$folder/image.tar.part" "$folder/image.tar"
}

is_running() {
  [ -f "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2>/dev/null
}

start_engine() {
  make_image
  if ! engine image exists "$image"; then
    engine import "$folder/image.tar" "$image" >/dev/null
  fi
  if ! is_running; then
    # Where a container ran out of memory, its monitor leaves a file "oom" in the working folder.
    cd "$folder"
    # Not through the function: its process number would be that of a shell in between.
    "${command[@]}" system service --time=0 "unix://$socket" >"$folder/engine.log" 2>&1 </dev/null &
    echo $! >"$folder/pid"
    for _ in $(seq 100); do
      [ -S "$socket" ] && break
      sleep 0.1
    done
  fi
  printf 'export TOOLWEFT_TEST_CONTAINER_ENGINE=unix://%s\n' "$socket"
  printf 'export TOOLWEFT_TEST_CONTAINER_IMAGE=%s\n' "$image"
}

stop_engine() {
  if is_running; then
    kill "$(cat "$folder/pid")"
  fi
  rm -f "$folder/pid" "$socket"
  engine rm --all --force --time 0 >/dev/null
}

case "$action" in
  start) start_engine ;;
  stop) stop_engine ;;
  image) make_image ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
