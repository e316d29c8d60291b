//! Reads and writes YAML as go-yaml does, with spans, and edits a file in place.
