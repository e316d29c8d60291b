//! A Kubernetes object as a value: identity, quantities, schema tables, merges, diff, health, masking.
