//! landfall.yaml: its types, defaults, origins and JSON Schema.
