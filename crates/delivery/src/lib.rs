//! The use cases that command line and server share: resolve a target, up, down, status, checks.
