#!/usr/bin/env bash
# Installs what some tests need beyond Node.js, as far as this machine lets it, and says what it could not get: those
# tests are then skipped, with the reason. Needs apt-get and root for anything at all.
set -uo pipefail
cd "$(dirname "$0")/.."

get() { # what for, then packages
  local purpose="$1"
  shift
  if dpkg-query -W "$@" >/dev/null 2>&1; then return; fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
    echo "not to be had: $* ($purpose)"
}

timeout 900 packaging/kubernetes-tools.sh || echo "not to be had: helm, kustomize, kubeconform and schemas (manifests)"

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "no root or no apt-get: only the tools that are here already are used"
  exit 0
fi
apt-get -qq update >/dev/null 2>&1 || echo "apt-get update failed"
get "monitoring: rules, routes, a mesh that is scraped" prometheus prometheus-alertmanager
get "units: verify, score, hosts booted in systemd-nspawn" systemd systemd-container debootstrap iproute2 python3-minimal
get "network namespaces: daemons under faults, clocks that are off" iproute2 libfaketime
get "man pages and completions" man-db mandoc bash zsh fish
get "Debian packages: built, judged, foreign ones run" binutils lintian qemu-user-static
packaging/host-root.sh || echo "not to be had: a root to boot hosts from"
get "image: built from the Dockerfile, and run" buildah debootstrap podman runc
timeout 900 packaging/docker/build-without-registry.sh >/dev/null 2>&1 || echo "not to be had: an image (its tests)"
