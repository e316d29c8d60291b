//go:build tools

// Package oracles names the commands that this module builds.
package oracles

import _ "helm.sh/helm/v4/cmd/helm"
