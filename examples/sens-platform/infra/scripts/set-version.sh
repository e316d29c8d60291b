#!/bin/sh
# set-version.sh ENVIRONMENT TAG COMMIT: one published version, its commit and its digests, in every place of an
# environment that names them.
set -eu
environment=$1 tag=${2#v} commit=$3
registry=registry.example.com/sens
case $environment in
test) pattern='^[0-9]+\.[0-9]+\.[0-9]+-alpha(\.[0-9]+)+$' ;;
production) pattern='^[0-9]+\.[0-9]+\.[0-9]+$' ;;
*) echo "no environment $environment" >&2; exit 2 ;;
esac
printf '%s' "$tag" | grep -Eq "$pattern" || { echo "$tag is no version for $environment" >&2; exit 1; }
cd "$(dirname "$0")/.."
release=environments/$environment/release.yaml
for image in platform-api docs mqtt-ingestion-worker telemetry-worker; do
    # Fails when the version was not published.
    digest=$(docker buildx imagetools inspect "$registry/$image:$tag" --format '{{.Manifest.Digest}}')
    sed -i "s/^  $image: .*/  $image: $digest/" "$release"
done
sed -i -e "s/^image_tag: .*/image_tag: $tag/" -e "s/^product_commit: .*/product_commit: $commit/" \
    -e "s/^published_at: .*/published_at: $(date -u +%Y-%m-%dT%H:%M:%SZ)/" "$release"
sed -i "s/^  tag: .*/  tag: $tag/" "environments/$environment/values.yaml"
sed -i "s/^      targetRevision: [0-9a-f]\{40\}$/      targetRevision: $commit/" "argocd/sens-$environment/application.yaml"
