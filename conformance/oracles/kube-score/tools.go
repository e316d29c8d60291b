//go:build tools

// Package oracles names the command that this module builds.
package oracles

import _ "github.com/zegl/kube-score/cmd/kube-score"
