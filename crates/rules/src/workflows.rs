//! The files that tell a forge what to build, test and write back.

use landfall_source::SourceTree;
use serde_json::Value;

/// Files that are larger are no workflows.
const LARGEST: usize = 512 * 1024;

/// Where the forges look for them.
const PATTERNS: &[&str] = &[
    ".github/workflows/*.{yml,yaml}",
    ".gitea/workflows/*.{yml,yaml}",
    ".forgejo/workflows/*.{yml,yaml}",
    ".gitlab-ci.yml",
];

/// A workflow of the repository.
pub(crate) struct Workflow {
    /// The file.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// All workflows of a tree.
pub(crate) fn workflows(files: &SourceTree) -> Vec<Workflow> {
    let paths = PATTERNS.iter().flat_map(|pattern| files.glob(pattern).unwrap_or_default());
    paths
        .filter_map(|path| {
            let text = String::from_utf8(files.read(&path).ok()??).ok().filter(|text| text.len() <= LARGEST)?;
            Some(Workflow { path, text })
        })
        .collect()
}

impl Workflow {
    /// Whether it builds images.
    pub(crate) fn builds(&self) -> bool {
        ["docker/build-push-action", "docker build", "buildx", "podman build", "kaniko", "landfall build"]
            .iter()
            .any(|word| self.text.contains(word))
    }

    /// The lists of its build matrices: of each the texts that its entries consist of.
    pub(crate) fn matrices(&self) -> Vec<Vec<Vec<String>>> {
        let mut found = Vec::new();
        for document in landfall_yaml::to_json_all(&self.text).unwrap_or_default() {
            collect(&document, false, &mut found);
        }
        found
    }

    /// The line (from 1) in which a text first stands.
    pub(crate) fn line_of(&self, text: &str) -> u32 {
        let at = self.text.lines().position(|line| line.contains(text)).unwrap_or(0);
        u32::try_from(at).unwrap_or(0) + 1
    }
}

/// Every list below a `matrix` (GitLab's `parallel: matrix:` too).
fn collect(value: &Value, inside: bool, found: &mut Vec<Vec<Vec<String>>>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(value, inside || key == "matrix", found);
            }
        }
        Value::Array(items) => {
            if inside {
                found.push(items.iter().map(texts).collect());
            }
            items.iter().for_each(|item| collect(item, inside, found));
        }
        _ => {}
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(map) => map.values().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::Workflow;

    #[test]
    fn the_lists_of_a_matrix_are_read_wherever_it_stands() {
        let text = "jobs:\n  build:\n    strategy: {matrix: {service: [web, api], include: [{service: web, file: a}]}}\n    steps: [{run: docker build .}]\n";
        let workflow = Workflow { path: "w.yml".to_owned(), text: text.to_owned() };
        let mut matrices = workflow.matrices();
        matrices.sort();
        assert_eq!(
            matrices,
            [vec![vec!["a".to_owned(), "web".to_owned()]], vec![vec!["web".to_owned()], vec!["api".to_owned()]]]
        );
        assert!(workflow.builds());
        assert_eq!(workflow.line_of("steps"), 4);
    }
}
