//! A text that is not the YAML, or cannot be changed as YAML, that is wanted.

super::group! {
    GROUP: "a text in YAML",
    "Places count from 1. The words are those of go-yaml, which reads the same text in Helm and in the cluster's tools.";
    YAML_SYNTAX = 890, Usage, "A text is not YAML.";
    YAML_CONTENT = 891, Usage, "A text is YAML and holds what cannot be taken: an unknown anchor, a value that is none, too much of something.";
    YAML_KEY_TWICE = 892, Usage, "A key stands twice in one mapping.";
    YAML_NOT_JSON = 893, Usage, "A text is YAML and cannot be said in JSON.";
    YAML_EDIT = 894, Usage, "A text cannot be edited at that place.";
    YAML_TOO_LONG = 895, Usage, "What was to be written as YAML is longer than is written.";
}
