//! What may have been meant by a verb that there is not, as cobra says it (`SuggestionsFor`).

/// Helm's verbs in the order in which it knows them, and in which it suggests them.
const KNOWN: [&str; 25] = [
    "create",
    "dependency",
    "pull",
    "show",
    "lint",
    "package",
    "repo",
    "search",
    "verify",
    "get",
    "history",
    "install",
    "list",
    "test",
    "rollback",
    "status",
    "template",
    "uninstall",
    "upgrade",
    "completion",
    "env",
    "plugin",
    "version",
    "registry",
    "push",
];

/// The verbs at most two letters away from what was typed, and those that begin with it; empty when there are none.
pub(super) fn suggestions(typed: &str) -> String {
    let typed = typed.to_lowercase();
    let is_near = |name: &str| name.starts_with(&typed) || strsim::levenshtein(&typed, name) <= 2;
    let near: String = KNOWN.into_iter().filter(|name| is_near(name)).map(|name| format!("\t{name}\n")).collect();
    if near.is_empty() { near } else { format!("\n\nDid you mean this?\n{near}") }
}

#[cfg(test)]
mod tests {
    use super::suggestions;

    #[test]
    fn what_helm_suggests_is_suggested_in_its_order() {
        assert_eq!(suggestions("inst"), "\n\nDid you mean this?\n\tlint\n\tinstall\n\tlist\n\ttest\n");
        assert_eq!(suggestions("roll"), "\n\nDid you mean this?\n\tpull\n\trollback\n");
        assert_eq!(suggestions("reop"), "\n\nDid you mean this?\n\trepo\n");
        assert_eq!(suggestions("x"), "");
    }
}
