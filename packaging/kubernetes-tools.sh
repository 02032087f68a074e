#!/usr/bin/env bash
# Puts into node_modules/.cache/tools what the tests of compose, helm and kustomize run, with pinned versions: three Go programs and
# the checker of compose files, and the JSON schemas of Kubernetes and of the Prometheus operator. Does nothing if all is there.
# Needs go, python3 with pip, and unzip. About 5 minutes on two cores, 270 MB on disk.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$PWD/node_modules/.cache/tools"

helm=v3.22.0
kustomize=v5.7.1
kubeconform=v0.8.0
compose=v2.16.2
operator=v0.85.0
schemas=1.37.0   # of kubernetes-validate, which has those of several Kubernetes versions
kubernetes=1.36.0

wanted="$helm $kustomize $kubeconform $compose $operator $schemas $kubernetes $(cksum <packaging/kubernetes-schemas.mjs)"
if [ "$(cat "$folder/complete" 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi
for tool in go python3 unzip; do
  command -v $tool >/dev/null || { echo "$tool is not installed"; exit 1; }
done
mkdir -p "$folder/bin"
rm -f "$folder/complete"

export GOBIN="$folder/bin"
go install "helm.sh/helm/v3/cmd/helm@$helm"
go install "sigs.k8s.io/kustomize/kustomize/v5@$kustomize"
go install "github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform"
go install "github.com/compose-spec/compose-go/v2/cmd@$compose"
mv "$folder/bin/cmd" "$folder/bin/compose-check"

temporary="$(mktemp -d)"
trap 'rm -rf "$temporary"' EXIT
python3 -m pip --quiet download --no-deps --dest "$temporary" "kubernetes-validate==$schemas"
unzip -q "$temporary"/*.whl "kubernetes_validate/kubernetes-json-schema/v$kubernetes-local-strict/*" -d "$temporary"
crds="$(go mod download -json "github.com/prometheus-operator/prometheus-operator@$operator" |
  sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')/example/prometheus-operator-crd"
rm -rf "$folder/schemas"
node_modules/.bin/node packaging/kubernetes-schemas.mjs \
  "$temporary/kubernetes_validate/kubernetes-json-schema/v$kubernetes-local-strict" "$crds" "$folder/schemas"
echo "$wanted" >"$folder/complete"
