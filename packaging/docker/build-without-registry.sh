#!/usr/bin/env bash
# Builds packaging/docker/Dockerfile with buildah where no registry of images can be reached: the two base images are made with
# debootstrap and from this project's own Node.js. test/packaging/image.test.ts runs what it makes, localhost/meshd:test, from the
# storage in node_modules/.cache/image; the tests and CI are what this is for.
#
#   packaging/docker/build-without-registry.sh
#
# Needs root, buildah, debootstrap, node and npm, and `npm ci` done. About 5 minutes the first time, 1 GB on disk.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$PWD/node_modules/.cache/image"
mkdir -p "$folder"
export BUILDAH_ISOLATION=chroot
buildah() { command buildah --root "$folder/storage" --runroot "$folder/run" "$@"; }

if ! buildah inspect --type image localhost/debian:trixie-slim >/dev/null 2>&1; then
  root="$(mktemp -d "$folder/root-XXXXXX")"
  trap 'rm -rf "$root"' EXIT
  chmod 0755 "$root"
  debootstrap --variant=minbase trixie "$root" >"$folder/debootstrap.log"
  # As in Debian's own slim image.
  rm -rf "$root"/usr/share/{doc,man,locale,info}/* "$root"/var/{cache/apt,lib/apt/lists,log}/*
  base="$(buildah from scratch)"
  buildah add --quiet "$base" "$root" /
  buildah commit --quiet --rm "$base" localhost/debian:trixie-slim

  # What the building stage has: the pinned Node.js, npm, and this machine's certificates.
  node="$(buildah from localhost/debian:trixie-slim)"
  npm="$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")"
  buildah copy --quiet "$node" "$(readlink -f node_modules/.bin/node)" /usr/bin/node
  buildah copy --quiet "$node" "$npm" /usr/lib/node_modules/npm
  buildah copy --quiet "$node" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
  buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$node"
  buildah run "$node" -- sh -ec '
    ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/bin/npm
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends libatomic1 >/dev/null'
  buildah commit --quiet --rm "$node" localhost/node:test
fi

# npm's settings of this machine, such as a mirror; they are there while a step runs, and not in a layer.
settings=()
for file in /etc/npmrc "$HOME/.npmrc"; do
  if [ -f "$file" ]; then settings+=(--volume "$file:${file/#$HOME//root}:ro"); fi
done
buildah bud --format docker --layers --file packaging/docker/Dockerfile "${settings[@]}" \
  --build-arg NODE_IMAGE=localhost/node:test --build-arg BASE_IMAGE=localhost/debian:trixie-slim \
  --build-arg COMMIT="$(git describe --always --exclude='*' --abbrev=12 --dirty)" \
  --tag localhost/meshd:test .
