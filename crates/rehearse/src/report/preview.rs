//! A preview as one comment.

use std::fmt::Write;

use landfall_rules::findings_text;
use serde_json::Value;

use crate::at_hand::NotChecked;
use crate::preview::{ObjectDiff, Preview};
use crate::report::findings_markdown;
use crate::report::markdown::{code, escaped, fenced, inline};
use crate::report::rehearsal::{Shown, old_sins_markdown, old_sins_text};

/// What code hosts take as one comment, in characters.
const LONGEST: usize = 60_000;
/// So many fields of an object are written out.
const FIELDS: usize = 40;
/// So many places that a field comes from.
const ORIGINS: usize = 2;

/// The line by which a recipe finds its own comment again.
pub const COMMENT_MARK: &str = "<!-- landfall preview -->";

/// Previews of all environments as one Markdown comment; too much of it is cut with a word about it.
pub fn preview_markdown(previews: &[Preview], base: &str, head: &str, known: Shown) -> String {
    // Writing into a text cannot fail.
    let mut text = format!("{COMMENT_MARK}\n## Landfall: {} → {}\n\n", inline(base), inline(head));
    for (at, preview) in previews.iter().enumerate() {
        one(&mut text, preview, &previews[..at], known);
    }
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let end = text[..end].rfind('\n').unwrap_or(end);
        text.truncate(end);
        // Lines of ours: what is foreign never stands at a line's beginning.
        let begin = |sign: &str| text.lines().filter(|line| line.starts_with(sign)).count();
        let open_fence = begin("```") % 2 == 1;
        let open = begin("<details>").saturating_sub(begin("</details>"));
        if open_fence {
            text.push_str("\n```");
        }
        text.push_str(&"\n</details>".repeat(open));
        text.push_str("\n\nThere is more than a comment holds: `landfall preview` shows all of it.\n");
    }
    text
}

/// A preview as lines for a terminal.
pub fn preview_text(preview: &Preview, known: Shown) -> String {
    // Writing into a text cannot fail.
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} created, {} changed, {} deleted, {} unchanged",
        preview.environment.as_deref().unwrap_or("preview"),
        preview.count("created"),
        preview.count("changed"),
        preview.count("deleted"),
        preview.unchanged
    );
    for diagnostic in &preview.unread {
        let _ = writeln!(text, "  not rendered: {}", diagnostic.message);
    }
    for note in &preview.notes {
        let _ = writeln!(text, "  ~ {note}");
    }
    for object in &preview.objects {
        let key = &object.object;
        let namespace = key.namespace.as_deref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
        let restarts = if object.restarts { ": its pods restart" } else { "" };
        let lost = object.loses.as_deref().map(|what| format!(": loses {what}")).unwrap_or_default();
        let _ = writeln!(text, "  {:<8} {}/{}{namespace}{restarts}{lost}", object.what, key.gvk.kind, key.name);
    }
    for change in &preview.resources {
        let _ = writeln!(text, "  {} of all replicas: {}, before {}", change.name, change.to, change.from);
    }
    for trial in preview.trials.iter().filter(|trial| !trial.would_deliver) {
        let as_its_base = if trial.as_its_base { ", as its base would not either" } else { "" };
        let _ = writeln!(text, "  would NOT deliver, from {}{as_its_base}", trial.start);
        for why in &trial.why {
            let _ = writeln!(text, "    {}", why.message);
        }
    }
    for NotChecked { what, why, .. } in &preview.not_checked {
        let _ = writeln!(text, "  ~ not checked: {what}: {why}");
    }
    for taken in &preview.taken_as_there {
        let _ = writeln!(text, "  ~ {taken}: taken as there");
    }
    text.push_str(&findings_text(&preview.examination));
    text.push_str(&old_sins_text(&preview.known, known));
    text
}

/// One environment; what an earlier one shows already is not shown again.
fn one(text: &mut String, preview: &Preview, shown: &[Preview], known: Shown) {
    let name = preview.environment.as_deref().map(|name| format!("{}: ", code(name))).unwrap_or_default();
    let counts: Vec<String> = ["created", "changed", "deleted"]
        .into_iter()
        .filter_map(|what| {
            let count = preview.count(what);
            (count > 0).then(|| format!("{count} {what}"))
        })
        .collect();
    let counts = match (counts.is_empty(), preview.unread.is_empty()) {
        (false, _) => counts.join(", "),
        (true, true) => "nothing changes".to_owned(),
        (true, false) => "not rendered".to_owned(),
    };
    let mark = match (preview.passes(), preview.not_checked.is_empty()) {
        (true, true) => "✅",
        (true, false) => "⚠️",
        (false, _) => "❌",
    };
    let _ = writeln!(text, "## {mark} {name}{counts}, {} unchanged\n", preview.unchanged);
    for diagnostic in &preview.unread {
        let _ = writeln!(text, "- ❌ {}", inline(&diagnostic.message));
    }
    for note in &preview.notes {
        let _ = writeln!(text, "- {}", inline(note));
    }
    for object in preview.objects.iter().filter(|object| object.loses.is_some()) {
        let _ = writeln!(
            text,
            "- ❌ deleting {} loses {}",
            code(&format!("{}/{}", object.object.gvk.kind, object.object.name)),
            inline(object.loses.as_deref().unwrap_or_default())
        );
    }
    for trial in preview.trials.iter().filter(|trial| !trial.would_deliver) {
        let (mark, as_its_base) = match trial.as_its_base {
            true => ("⚠️", ", as its base would not either"),
            false => ("❌", ""),
        };
        let start = inline(&trial.start.to_string());
        let _ = writeln!(text, "- {mark} **would not deliver**, from {start}{as_its_base}");
        for why in &trial.why {
            let _ = writeln!(text, "  - {}", inline(&why.message));
        }
    }
    for NotChecked { what, why, .. } in &preview.not_checked {
        let _ = writeln!(text, "- ⚠️ not checked: {}: {}", inline(what), inline(why));
    }
    if !preview.taken_as_there.is_empty() {
        let taken: Vec<String> = preview.taken_as_there.iter().map(|it| inline(it)).collect();
        let _ = writeln!(text, "- taken as there: {}", taken.join(", "));
    }
    text.push_str(&findings_markdown(&preview.examination));
    text.push_str(&old_sins_markdown(&preview.known, known));
    if !preview.resources.is_empty() {
        text.push_str("\n### Requests and limits, all replicas\n\n| | before | after |\n|---|---|---|\n");
        for change in &preview.resources {
            let _ = writeln!(text, "| {} | {} | {} |", inline(&change.name), inline(&change.from), inline(&change.to));
        }
    }
    if !preview.objects.is_empty() {
        text.push_str("\n### Plan and differences\n\n");
        let mut unit = "";
        for object in &preview.objects {
            if object.unit != unit {
                unit = &object.unit;
                let _ = writeln!(text, "**{}**\n", inline(unit));
            }
            match shown.iter().find(|earlier| earlier.objects.iter().any(|other| other.says_the_same(object))) {
                Some(Preview { environment: Some(name), .. }) if !object.fields.is_empty() => {
                    let _ = writeln!(text, "- <code>{}</code>: as in {}\n", title(object), code(name));
                }
                _ => object_diff(text, object),
            }
        }
    }
    text.push('\n');
}

/// `~ Deployment/web in shop (wave 2): its pods restart`, as HTML.
fn title(diff: &ObjectDiff) -> String {
    let sign = match diff.what {
        "created" => "+",
        "deleted" => "-",
        _ => "~",
    };
    let when = if diff.when.is_empty() { String::new() } else { format!(" ({})", diff.when) };
    let namespace = diff.object.namespace.as_deref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
    let restarts = if diff.restarts { ": its pods restart" } else { "" };
    let foreign = escaped(&format!("{}/{}{namespace}{when}{restarts}", diff.object.gvk.kind, diff.object.name));
    format!("{sign} {foreign}")
}

fn object_diff(text: &mut String, diff: &ObjectDiff) {
    let title = title(diff);
    if diff.fields.is_empty() {
        let _ = writeln!(text, "- <code>{title}</code>\n");
        return;
    }
    let _ = writeln!(text, "<details><summary><code>{title}</code></summary>\n\n```diff");
    for field in diff.fields.iter().take(FIELDS) {
        let more = field.origins.len().saturating_sub(ORIGINS);
        let mut origin = field.origins.iter().take(ORIGINS).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 {
            let _ = write!(origin, " and {more} more");
        }
        let origin = if origin.is_empty() { origin } else { format!("   # {origin}") };
        let _ = writeln!(text, "  {}{}", fenced(&field.path), fenced(&origin));
        for (sign, value) in [("-", &field.from), ("+", &field.to)] {
            for line in value.iter().flat_map(lines) {
                let _ = writeln!(text, "{sign}   {}", fenced(&line));
            }
        }
    }
    if diff.fields.len() > FIELDS {
        let _ = writeln!(text, "  … and {} fields more", diff.fields.len() - FIELDS);
    }
    text.push_str("```\n\n</details>\n\n");
}

fn lines(value: &Value) -> Vec<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => landfall_yaml::emit(value).unwrap_or_else(|_| value.to_string()),
        scalar => scalar.to_string(),
    };
    text.trim_end().lines().take(60).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use landfall_object::{Gvk, ObjectKey};

    use super::*;
    use crate::preview::FieldDiff;
    use landfall_rules::Examination;

    #[test]
    fn a_comment_that_is_too_long_is_closed_by_what_is_ours_alone() {
        let hostile = "</details>\n```\n</details>\n<details>\n";
        let field = FieldDiff {
            path: format!("data[{hostile}]"),
            from: Some(Value::String(hostile.repeat(20))),
            to: Some(Value::String("</details>".to_owned())),
            origins: vec![hostile.to_owned()],
        };
        let object = |index: usize| ObjectDiff {
            unit: hostile.to_owned(),
            what: "changed",
            object: ObjectKey {
                gvk: Gvk::new("", "v1", "ConfigMap"),
                namespace: Some(hostile.to_owned()),
                name: format!("{index}{hostile}"),
            },
            when: String::new(),
            fields: vec![FieldDiff {
                path: field.path.clone(),
                from: field.from.clone(),
                to: field.to.clone(),
                origins: field.origins.clone(),
            }],
            loses: Some(hostile.to_owned()),
            restarts: false,
        };
        let preview = Preview {
            environment: Some(hostile.to_owned()),
            objects: (0..60).map(object).collect(),
            unchanged: 0,
            resources: Vec::new(),
            examination: Examination::default(),
            known_findings: 0,
            known: Vec::new(),
            trials: Vec::new(),
            taken_as_there: Vec::new(),
            not_checked: Vec::new(),
            unread: Vec::new(),
            notes: vec![hostile.to_owned()],
        };
        let text = preview_markdown(&[preview], hostile, hostile, Shown::New);
        assert!(text.len() < LONGEST + 1000 && text.contains("There is more than a comment holds"), "{}", text.len());
        let begin = |sign: &str| text.lines().filter(|line| line.starts_with(sign)).count();
        assert_eq!(begin("<details>"), begin("</details>"));
        assert_eq!(begin("```") % 2, 0);
        assert!(begin("<details>") > 3, "and something is shown");
    }
}
