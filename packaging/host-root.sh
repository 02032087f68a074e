#!/usr/bin/env bash
# Prepares node_modules/.cache/host-root: a small Debian with systemd, as test/packaging/support/host.ts boots it. A test
# boots an overlay over it, so nothing ever changes it. Does nothing if it is there.
# libatomic1 is what the executable needs beyond every Debian's libraries. Needs root and debootstrap. About 80 MB to download, 250 MB on disk, a minute and a half.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$PWD/node_modules/.cache/host-root"
suite="${SUITE:-bookworm}"

if [ "$(cat "$folder.complete" 2>/dev/null || true)" = "$suite" ]; then
  echo "$folder is complete"
  exit 0
fi
rm -rf "$folder" "$folder.complete"
mkdir -p "$(dirname "$folder")"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,libatomic1 "$suite" "$folder" ${MIRROR:+"$MIRROR"} >"$folder.log" 2>&1 || {
  tail -n 5 "$folder.log" >&2
  exit 1
}
# A host is named by who boots it.
rm -f "$folder/etc/hostname"
# Packages as they were downloaded: 100 MB that no test reads.
rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder.log"
echo "$suite" >"$folder.complete"
