#!/bin/sh
# Production gets what test has, under its stable version: 0.5.0-alpha.123.1 becomes 0.5.0.
set -eu
cd "$(dirname "$0")/.."
field() { sed -n "s/^$1: //p" environments/test/release.yaml; }
tag=$(field image_tag)
commit=$(field product_commit)
stable=${tag%%-*}
branch="promote-$stable"
git checkout -b "$branch"
scripts/set-version.sh production "$stable" "$commit"
git add environments/production argocd/sens-production
git -c user.name=promote -c user.email=promote@example.com commit -m "production: $stable, from test's $tag"
git push origin "$branch"
gh pr create --base main --head "$branch" --title "production: $stable" --body "Test runs $tag, built from $commit."
