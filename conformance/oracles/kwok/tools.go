//go:build tools

// Package oracles names the command that this module builds.
package oracles

import _ "sigs.k8s.io/kwok/cmd/kwok"
