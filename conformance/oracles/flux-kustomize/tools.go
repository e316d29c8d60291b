//go:build tools

// Package oracles names the commands that this module builds.
package oracles

import _ "github.com/fluxcd/kustomize-controller"
