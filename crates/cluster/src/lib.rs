//! A connection to any cluster: discovery, cache, apply, wait, logs.
