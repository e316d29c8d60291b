//! A group that is printed from the value of a user, where the same table has one for the group; and the other way round.

use landfall_chart::Values;

use crate::catalogue::value_that_prints_nothing::{Dot, bare_path, moved, value_at};
use crate::texts::{If, Text, actions, ifs};

/// Values that are the number of a user.
const USERS: &[&str] = &["uid", "runAsUser", "userId"];

/// Values that are the number of a group; what a pod's files belong to is one for them alone.
const GROUPS: &[&str] = &["gid", "runAsGroup", "groupId"];

/// A number that is printed into a field of another sort.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misplaced<'t> {
    pub(super) at: usize,
    /// The field: `fsGroup`.
    pub(super) key: &'t str,
    /// The value: `web.uid`.
    pub(super) path: String,
    /// The value that is meant: `web.gid`.
    pub(super) meant: String,
}

/// The groups and users of a text that are printed from each other's values.
pub(super) fn misplaced<'t>(text: &'t Text<'_>, values: &Values) -> Vec<Misplaced<'t>> {
    let mut found = Vec::new();
    let all = &text.text;
    if !all.contains("Group") && !all.contains("runAsUser") {
        return found;
    }
    let ifs = ifs(all);
    let mut dots: Vec<Dot> = Vec::new();
    for action in actions(all).filter(|it| !it.is_comment()) {
        let path = bare_path(action.inner, dots.last().unwrap_or(&Dot::Root));
        moved(action.inner, &mut dots);
        let own = action.line;
        let behind = all[action.end..].lines().next().unwrap_or_default();
        let Some(key) = field(&all[own..action.start]).filter(|_| matches!(behind.trim(), "" | "]")) else { continue };
        let Some(path) = path else { continue };
        let Some((table, leaf)) = path.rsplit_once('.') else { continue };
        let declared = |name: &&&str| is_number(values, &format!("{table}.{name}"));
        let meant = meant(key, leaf).and_then(|names| names.iter().find(declared).copied());
        let Some(meant) = meant.map(|name| format!("{table}.{name}")) else { continue };
        let around = ifs.iter().find(|it| it.at < action.start && action.start < it.end);
        if !around.is_some_and(|it| is_decided(all, it, &meant)) {
            found.push(Misplaced { at: action.start, key, path, meant });
        }
    }
    found
}

/// Whether the values have a number at a path.
fn is_number(values: &Values, path: &str) -> bool {
    value_at(values, path).is_some_and(|it| it.as_i64().is_some() || it.as_f64().is_some())
}

/// The field of a user or a group that a line begins with: `- fsGroup: `.
fn field(ahead: &str) -> Option<&str> {
    let (key, rest) = ahead.trim_start().trim_start_matches("- ").split_once(':')?;
    let is_one = matches!(key, "runAsUser" | "runAsGroup" | "fsGroup" | "supplementalGroups");
    (is_one && matches!(rest.trim(), "" | "[")).then_some(key)
}

/// The values that a field is meant to have, where it has one of the other sort.
fn meant(key: &str, leaf: &str) -> Option<&'static [&'static str]> {
    let is_group = |name: &str| name == "fsGroup" || GROUPS.contains(&name);
    match key {
        "runAsUser" if is_group(leaf) => Some(USERS),
        "runAsGroup" if USERS.contains(&leaf) => Some(GROUPS),
        "fsGroup" | "supplementalGroups" if USERS.contains(&leaf) => Some(&["fsGroup", "gid", "runAsGroup", "groupId"]),
        _ => None,
    }
}

/// Whether a condition around a value decides between it and the one that is meant.
fn is_decided(text: &str, around: &If<'_>, meant: &str) -> bool {
    let has_other = actions(&text[around.at..around.end]).any(|it| it.word() == "else");
    has_other || around.asks.contains(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let json = serde_json::json!({"web": {"uid": 1, "gid": 2}, "job": {"uid": 1}, "db": {"uid": 1, "gid": null}});
        let values = landfall_chart::values_from_json(json.as_object().expect("a map"));
        let text = Text { path: "templates/x.yaml".to_owned(), text: text.into() };
        misplaced(&text, &values).into_iter().map(|it| format!("{} {} {}", it.key, it.path, it.meant)).collect()
    }

    #[test]
    fn a_group_from_the_value_of_a_user_is_told() {
        assert_eq!(of("  fsGroup: {{ .Values.web.uid }}\n"), ["fsGroup web.uid web.gid"]);
        assert_eq!(of("  runAsGroup: {{ .Values.web.uid | int }}\n"), ["runAsGroup web.uid web.gid"]);
        assert_eq!(of("  supplementalGroups: [{{ .Values.web.uid }}]\n"), ["supplementalGroups web.uid web.gid"]);
        assert_eq!(of("  runAsUser: {{ .Values.web.gid }}\n"), ["runAsUser web.gid web.uid"]);
        let within = "{{ if .Values.web.on }}\n  {{ with .Values.web }}\n  fsGroup: {{ .uid }}\n  {{ end }}\n{{ end }}";
        assert_eq!(of(within), ["fsGroup web.uid web.gid"]);
    }

    #[test]
    fn a_table_without_a_group_and_what_is_decided_are_left_alone() {
        for text in [
            "  fsGroup: {{ .Values.web.gid }}\n",
            "  runAsUser: {{ .Values.web.uid }}\n",
            "  fsGroup: {{ .Values.job.uid }}\n",
            "  fsGroup: {{ .Values.db.uid }}\n",
            "  fsGroup: {{ .Values.web.uid | default 1 }}\n",
            "  fsGroup: {{ coalesce .Values.web.uid 1 }}\n",
            "{{ if .a }}\n  fsGroup: {{ .Values.web.gid }}\n{{ else }}\n  fsGroup: {{ .Values.web.uid }}\n{{ end }}\n",
            "{{ if not .Values.web.gid }}\n  fsGroup: {{ .Values.web.uid }}\n{{ end }}\n",
            "  # fsGroup: {{ .Values.web.uid }}\n",
            "  chown {{ .Values.web.uid }}:{{ .Values.web.gid }}\n",
        ] {
            assert_eq!(of(text), [""; 0], "{text}");
        }
    }
}
