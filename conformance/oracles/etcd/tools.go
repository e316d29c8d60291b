//go:build tools

// Package oracles names the command that this module builds.
package oracles

import _ "go.etcd.io/etcd/server/v3"
