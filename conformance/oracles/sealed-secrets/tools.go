//go:build tools

// Package oracles names the commands that this module builds.
package oracles

import (
	_ "github.com/bitnami/sealed-secrets/cmd/controller"
	_ "github.com/bitnami/sealed-secrets/cmd/kubeseal"
)
