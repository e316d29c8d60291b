//! A Helm chart from an in-memory tree: values, dependencies, schema, rendering, lint, packages.
