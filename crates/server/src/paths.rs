//! Which paths of repositories a token is for.

use landfall_apps::{Application, BuildEnvironment, Source};

/// Patterns of paths: one covers itself and what lies below it, `*` is any text without `/`, `**` any text; what one with `!`
/// fits is none of them, whichever else does. None at all bounds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    path: String,
    denies: bool,
}

/// A text that is no pattern of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPath;

impl std::fmt::Display for BadPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("paths are relative to the repository, without `..` and `//`, as envs/test or !**/values.prod.yaml")
    }
}

impl std::error::Error for BadPath {}

impl Paths {
    /// Reads patterns.
    ///
    /// # Errors
    /// [`BadPath`], also where all of them deny.
    pub fn parse(patterns: &[String]) -> Result<Self, BadPath> {
        let read = patterns.iter().map(|text| {
            let (denies, path) = text.strip_prefix('!').map_or((false, text.as_str()), |path| (true, path));
            let is_plain =
                below("", path).is_some_and(|plain| !plain.is_empty() && plain == path.trim_end_matches('/'));
            is_plain.then(|| Pattern { path: path.trim_end_matches('/').to_owned(), denies }).ok_or(BadPath)
        });
        let paths = Paths(read.collect::<Result<_, _>>()?);
        match paths.0.is_empty() || paths.0.iter().any(|pattern| !pattern.denies) {
            true => Ok(paths),
            false => Err(BadPath),
        }
    }

    /// Those that are kept: what cannot be read covers nothing.
    pub(crate) fn kept(patterns: &[String]) -> Self {
        Paths::parse(patterns).unwrap_or_else(|_| Paths(vec![Pattern { path: "**".to_owned(), denies: true }]))
    }

    /// Whether they bound anything.
    pub(crate) fn bound(&self) -> bool {
        !self.0.is_empty()
    }

    fn cover(&self, path: &str) -> bool {
        let fits = |denies: bool| {
            let mut of_kind = self.0.iter().filter(|pattern| pattern.denies == denies);
            of_kind.any(|pattern| is_in(&pattern.path, path))
        };
        fits(false) && !fits(true)
    }

    /// Whether whatever a path or a pattern of values files fits is covered.
    fn cover_all(&self, path: &str) -> bool {
        let is_pattern = |part: &str| part.contains(['*', '?', '[']);
        if !is_pattern(path) {
            return self.cover(path);
        }
        let fixed: Vec<&str> = path.split('/').take_while(|part| !is_pattern(part)).collect();
        let directory = fixed.join("/");
        self.cover(&directory) && !self.deny_below(&directory)
    }

    /// Whether something below a directory may be denied.
    fn deny_below(&self, directory: &str) -> bool {
        let directory = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        self.0.iter().filter(|pattern| pattern.denies).any(|pattern| {
            let front = pattern.path.split('*').next().unwrap_or_default();
            front.starts_with(&directory) || directory.starts_with(front)
        })
    }

    /// Whether all that an Application reads of repositories lies in them: each source's directory and each file that its
    /// chart is given. One that reads nothing of a repository's directories is in none.
    pub(crate) fn hold(&self, application: &Application) -> bool {
        if !self.bound() {
            return true;
        }
        let mut read = 0;
        for source in &application.sources {
            let Some(paths) = read_by(application, source) else { return false };
            // A directory that is no chart with files of its own is read whole.
            let whole = source.helm.as_ref().is_none_or(|helm| helm.value_files.is_empty());
            let denied = whole && paths.first().is_some_and(|directory| self.deny_below(directory));
            if denied || !paths.iter().all(|path| self.cover_all(path)) {
                return false;
            }
            read += paths.len();
        }
        read > 0
    }
}

/// Stands for the commit where none is chosen yet.
const ANY_COMMIT: &str = "0000000000000000000000000000000000000000";

/// The paths that a source reads; nothing where one of them leads out of its repository, or to another server.
fn read_by(application: &Application, source: &Source) -> Option<Vec<String>> {
    // Whichever commit it will be, it is one name in a path.
    let environment = BuildEnvironment::of(application, source, ANY_COMMIT);
    let mut paths = Vec::new();
    let directory = match source.path.as_str() {
        // Another one's `$ref`, or a chart of a chart repository.
        "" => None,
        path => Some(below("", path)?),
    };
    paths.extend(directory.clone());
    let files = source
        .helm
        .iter()
        .flat_map(|helm| helm.value_files.iter().chain(helm.file_parameters.iter().map(|parameter| &parameter.path)));
    for file in files {
        let named = file.strip_prefix('$').map_or(("", ""), |named| named.split_once('/').unwrap_or((named, "")));
        let (reference, path) = named;
        if !reference.is_empty() && application.sources.iter().any(|other| other.reference == reference) {
            paths.push(below("", &environment.fill(path))?);
            continue;
        }
        let file = environment.fill(file);
        if file.contains("://") {
            return None;
        }
        paths.push(match file.strip_prefix('/') {
            Some(of_root) => below("", of_root)?,
            None => below(directory.as_deref()?, &file)?,
        });
    }
    Some(paths)
}

/// A path as it is spelt plainly, relative to a directory; nothing where it leads out of the repository.
fn below(directory: &str, path: &str) -> Option<String> {
    if path.contains(['\\', '\0']) { None } else { landfall_source::within(directory, path) }
}

/// Whether a path is what a pattern says, or lies below it.
fn is_in(pattern: &str, path: &str) -> bool {
    let mut ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.any(|end| fits(pattern.as_bytes(), &path.as_bytes()[..end]))
}

fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', b'/', rest @ ..] if fits(rest, text) => true,
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| fits(rest, &text[at..])),
        [b'*', rest @ ..] => {
            let longest = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            (0..=longest).any(|at| fits(rest, &text[at..]))
        }
        [first, rest @ ..] => text.first() == Some(first) && fits(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use landfall_object::Object;
    use serde_json::{Value, json};

    use super::*;

    fn reads(spec: Value) -> Application {
        let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec});
        Application::parse(&Object::from_value(object).expect("a map")).expect("an Application")
    }

    fn one(path: &str, files: &[&str]) -> Application {
        reads(json!({"destination": {"namespace": "shop", "server": "https://kubernetes.default.svc"},
            "source": {"repoURL": "https://git.example.com/shop.git", "path": path, "helm": {"valueFiles": files}}}))
    }

    fn paths(patterns: &[&str]) -> Paths {
        let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
        Paths::parse(&patterns).expect("patterns")
    }

    #[test]
    fn se_065_an_application_is_in_a_tokens_paths_however_they_are_spelt_or_it_is_not() {
        let test = paths(&["envs/test"]);
        for (path, files, expected) in [
            ("envs/test", &[][..], true),
            ("./envs//test/", &[], true),
            ("envs/test/shop", &["values.yaml"], true),
            ("envs/prod/../test", &[], true),
            ("envs/production", &[], false),
            ("envs/test/../production", &[], false),
            ("envs/test2", &[], false),
            ("envs", &[], false),
            (".", &[], false),
            ("envs/Test", &[], false),
            ("envs/test/../../../envs/test", &[], false),
            ("envs/test", &["../production/values.yaml"], false),
            ("envs/test", &["/envs/production/values.yaml"], false),
            ("envs/test", &["https://git.example.com/values.yaml"], false),
            ("envs/test", &["..\\production\\values.yaml"], false),
            ("envs/test", &["$ARGOCD_APP_NAME.yaml"], true),
            ("envs/test", &["values/*.yaml"], true),
            ("envs/test", &["../*/values.yaml"], false),
            ("envs/test", &["/**/values.yaml"], false),
            ("envs/test", &["$UNKNOWN/envs/production/values.yaml"], false),
            ("envs/test", &["$UNKNOWN../production/values.yaml"], false),
            ("envs/test", &["$ARGOCD_APP_REVISION/../values.yaml"], true),
            ("envs/test", &["$ARGOCD_APP_REVISION/../../production/values.yaml"], false),
            ("envs/test", &["/$ARGOCD_APP_SOURCE_PATH/../production/values.yaml"], false),
        ] {
            assert_eq!(test.hold(&one(path, files)), expected, "{path} {files:?}");
        }
        assert!(Paths::default().hold(&one("envs/production", &[])), "none at all bounds nothing");
    }

    #[test]
    fn one_chart_for_two_environments_is_told_apart_by_its_values() {
        let test = paths(&["chart", "!**/values.prod.yaml"]);
        assert!(test.hold(&one("chart", &["values.yaml", "values.test.yaml"])));
        assert!(!test.hold(&one("chart", &["values.yaml", "values.prod.yaml"])));
        assert!(!test.hold(&one("chart", &["./values.prod.yaml"])));
        assert!(!test.hold(&one("chart", &["values.*.yaml"])), "it fits that of production, too");
        let all_but = paths(&["envs", "!envs/production"]);
        assert!(all_but.hold(&one("envs/test", &[])));
        assert!(!all_but.hold(&one("envs", &[])), "production lies in it");
        let own = "https://git.example.com/shop.git";
        let several = |values: &str| {
            reads(json!({"destination": {"namespace": "shop", "server": "https://kubernetes.default.svc"}, "sources": [
                {"repoURL": "https://charts.example.com", "chart": "web", "targetRevision": "1.0.0",
                    "helm": {"valueFiles": [values]}},
                {"repoURL": own, "targetRevision": "main", "ref": "values"}]}))
        };
        let envs = paths(&["envs/test"]);
        assert!(envs.hold(&several("$values/envs/test/values.yaml")));
        assert!(!envs.hold(&several("$values/envs/production/values.yaml")));
        assert!(!envs.hold(&several("$values/envs/test/../production/values.yaml")));
        assert!(!envs.hold(&several("$values")));
    }

    #[test]
    fn a_pattern_is_plain_and_one_that_cannot_be_read_covers_nothing() {
        for bad in ["", "!", "/envs", "envs/../test", "a//b", "a\\b", "./envs", "!envs/production"] {
            assert_eq!(Paths::parse(&[bad.to_owned()]), Err(BadPath), "{bad}");
        }
        assert!(!Paths::kept(&["../x".to_owned()]).hold(&one("x", &[])));
        for (pattern, path, expected) in [
            ("**", "a/b", true),
            ("envs/*/shop", "envs/test/shop/x", true),
            ("envs/*/shop", "envs/a/b/shop", false),
            ("**/values.yaml", "values.yaml", true),
            ("**/values.yaml", "a/b/values.yaml", true),
            ("values.*.yaml", "values.prod.yaml", true),
        ] {
            assert_eq!(is_in(pattern, path), expected, "{pattern} {path}");
        }
    }
}
