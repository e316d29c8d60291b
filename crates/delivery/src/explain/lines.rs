use landfall_chart::Provenance;

use super::ObjectName;

/// What a line of rendered output belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedLine {
    /// The object.
    pub object: ObjectName,
    /// The field, from the object's root.
    pub path: Vec<String>,
}

impl RenderedLine {
    /// Finds what a line (from 1) of a stream of YAML documents belongs to; `None` between documents, behind the end,
    /// and where there is no object.
    pub fn of(text: &str, line: usize) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let at = line.checked_sub(1)?;
        let is_separator = |line: &&str| line.starts_with("---");
        if lines.get(at).is_none_or(is_separator) {
            return None;
        }
        let start = lines[..at].iter().rposition(is_separator).map_or(0, |separator| separator + 1);
        let end = lines[at..].iter().position(is_separator).map_or(lines.len(), |separator| at + separator);
        let document = lines[start..end].join("\n");
        let object = landfall_yaml::to_json(&document).ok().filter(|object| object["kind"].is_string())?;
        let path = Provenance::path_at(&document, line - start).unwrap_or_default();
        Some(RenderedLine { object: ObjectName::of(&object), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leads_to_its_object_and_field() {
        let text = "---\n# Source: a\nkind: A\nmetadata:\n  name: x\n---\nkind: B\nmetadata:\n  name: z\nspec:\n  list:\n  - a: 1\n    b: |\n      text\n      more\n";
        let at = |line| RenderedLine::of(text, line).map(|found| (found.object.to_string(), found.path.join(".")));
        let told = |object: &str, path: &str| Some((object.to_owned(), path.to_owned()));
        assert_eq!(at(5), told("a/x", "metadata.name"));
        assert_eq!(at(4), told("a/x", "metadata"));
        assert_eq!(at(2), told("a/x", ""));
        assert_eq!(at(12), told("b/z", "spec.list.0.a"));
        assert_eq!(at(15), told("b/z", "spec.list.0.b"));
        assert_eq!(at(6), None);
        assert_eq!(at(99), None);
    }
}
