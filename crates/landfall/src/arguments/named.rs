//! A target, then names: what stands behind a verb, the same for all of them.

use std::path::Path;

use landfall_delivery::{ObjectName, Session, SystemStatus, TargetKind};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Host, Place};
use landfall_source::RemoteRef;

/// What the names behind a target are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Releases, services, checks: no such name has a `/`.
    Names,
    /// Objects, as `web` or `deployment/web`.
    Objects,
}

/// A target and the names behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// What is meant, where it is not the working directory.
    pub(crate) target: Option<String>,
    /// What of it; all when nothing is named.
    pub(crate) names: Vec<String>,
}

impl Named {
    /// Tells the target from the names: it is the first word, where that is an address or a path, or where outside of any
    /// system a chart, an archive, a `landfall.yaml` or a state directory lies. Inside one a word without a `/` is a name.
    pub(crate) fn of(directory: &Path, words: &[String], behind: Behind) -> Self {
        match words.split_first() {
            Some((first, names)) if is_target(directory, first, behind) => {
                Named { target: Some(first.clone()), names: names.to_vec() }
            }
            _ => Named { target: None, names: words.to_vec() },
        }
    }

    /// The same for a verb that needs the name of an object: a word that stands alone, or before a port, is one, unless it
    /// is written as a path.
    ///
    /// # Errors
    /// There is but a target.
    pub(crate) fn with_name(directory: &Path, words: &[String], usage: &'static str) -> Result<Self, Diagnostic> {
        let named = match words {
            [one, rest @ ..] if !is_written_as_path(one) && rest.first().is_none_or(|next| is_port(next)) => {
                Named { target: None, names: words.to_vec() }
            }
            _ => Named::of(directory, words, Behind::Objects),
        };
        match (&named.target, named.names.is_empty()) {
            (Some(target), true) => {
                Err(Diagnostic::error(code::BAD_ARGUMENTS, format!("what of `{target}` is meant is not named"))
                    .help(usage))
            }
            _ => Ok(named),
        }
    }

    /// Takes no more names than there is use for.
    ///
    /// # Errors
    /// There are more.
    pub(crate) fn at_most(self, most: usize, usage: &'static str) -> Result<Self, Diagnostic> {
        match self.names.get(most) {
            None => Ok(self),
            Some(more) => {
                Err(Diagnostic::error(code::BAD_ARGUMENTS, format!("`{more}` is one word too many")).help(usage))
            }
        }
    }

    /// Those of a system's releases that are named, in each namespace unless one is given; nothing where none is named.
    ///
    /// # Errors
    /// There is no such release.
    pub(crate) fn among(
        &self,
        host: &Host,
        status: &SystemStatus,
        namespace: Option<&str>,
    ) -> Result<Option<Vec<(String, String)>>, Vec<Diagnostic>> {
        let mut found = Vec::new();
        for name in &self.names {
            let units = status.units.iter().filter(|unit| unit.name == *name);
            let mut there =
                units.filter(|unit| namespace.is_none_or(|namespace| unit.namespace == namespace)).peekable();
            if there.peek().is_none() {
                let known = status.units.iter().map(|unit| unit.name.as_str());
                let missing = no_release(&host.directory, name, known).note("helm: release: not found");
                return Err(vec![missing.help("`landfall status` shows all; -n names another namespace")]);
            }
            found.extend(there.map(|unit| (unit.namespace.clone(), unit.name.clone())));
        }
        Ok(Some(found).filter(|found| !found.is_empty()))
    }

    /// The releases that are meant, each with its namespace: those that are named; of a bare chart its own; of a system those that are
    /// no other environment's; else all.
    ///
    /// # Errors
    /// The cluster cannot be asked, there is no such release, or there are several.
    pub(crate) async fn releases(
        &self,
        host: &Host,
        session: &Session,
        place: &Place,
        namespace: Option<&str>,
    ) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
        let delivered = session.delivered().await?;
        let environments = Environments::of(host, place);
        let there: Vec<(&str, &str)> = delivered
            .iter()
            .map(|(namespace, name)| (namespace.as_str(), name.as_str()))
            .filter(|(of, name)| namespace.is_some() || !environments.is_anothers(of, name))
            .collect();
        if !self.names.is_empty() {
            let one = |name: &String| {
                let declared = namespace.or_else(|| environments.namespace_of(name));
                one(
                    &host.directory,
                    &there,
                    name,
                    declared.filter(|declared| there.contains(&(*declared, name.as_str())) || namespace.is_some()),
                )
            };
            return self.names.iter().map(one).collect();
        }
        // A chart delivers one release, under its own name or the one that was given.
        let of_chart = self.target.as_deref().filter(|_| place.declared().is_none());
        let called = of_chart.map(|target| (target.trim_end_matches('/'), host.chart_name(target)));
        match called {
            Some((word, Some(chart))) => {
                let is_there = |name: &str| there.iter().any(|(_, known)| *known == name);
                let name = if is_there(&chart) || !is_there(word) { chart.as_str() } else { word };
                Ok(vec![one(&host.directory, &there, name, namespace)?])
            }
            _ => Ok(there.iter().map(|(namespace, name)| ((*namespace).to_owned(), (*name).to_owned())).collect()),
        }
    }
}

/// What a system's file says of where releases live: on one cluster several environments may have one of the same name.
pub(crate) struct Environments {
    own: Vec<(String, String)>,
    others: Vec<(String, String)>,
}

impl Environments {
    /// Those of a place; of no system nothing is known.
    pub(crate) fn of(host: &Host, place: &Place) -> Self {
        let mut known = Environments { own: Vec::new(), others: Vec::new() };
        let TargetKind::System(file) = &place.target.kind else { return known };
        let default = host.default_namespace(place);
        for (name, environment) in &file.system.environments {
            let releases = environment.releases.iter().map(|release| {
                let namespace = release.namespace.as_ref().map_or(default.as_str(), |namespace| namespace.as_str());
                (namespace.to_owned(), release.name.to_string())
            });
            match Some(name.as_str()) == place.environment.as_deref() {
                true => known.own.extend(releases),
                false => known.others.extend(releases),
            }
        }
        known
    }

    /// Whether a release is one that this environment declares.
    pub(crate) fn is_own(&self, namespace: &str, name: &str) -> bool {
        self.own.iter().any(|(of, known)| of == namespace && known == name)
    }

    /// Whether a release is one that another environment declares, and this one does not.
    pub(crate) fn is_anothers(&self, namespace: &str, name: &str) -> bool {
        let is_it = |(of, known): &(String, String)| of == namespace && known == name;
        !self.own.is_empty() && !self.is_own(namespace, name) && self.others.iter().any(is_it)
    }

    fn namespace_of(&self, name: &str) -> Option<&str> {
        self.own.iter().find(|(_, known)| known == name).map(|(namespace, _)| namespace.as_str())
    }
}

/// A release's namespace: the one given, else the only one in which a release of that name lives.
fn one(
    directory: &Path,
    there: &[(&str, &str)],
    name: &str,
    namespace: Option<&str>,
) -> Result<(String, String), Vec<Diagnostic>> {
    if let Some(namespace) = namespace {
        return Ok((namespace.to_owned(), name.to_owned()));
    }
    let found: Vec<&str> = there.iter().filter(|(_, known)| *known == name).map(|(namespace, _)| *namespace).collect();
    match found.as_slice() {
        [one] => Ok(((*one).to_owned(), name.to_owned())),
        [] => Err(vec![no_release(directory, name, there.iter().map(|(_, known)| *known))]),
        several => Err(vec![
            Diagnostic::error(code::WHICH_NAMESPACE, format!("release {name} lives in several namespaces"))
                .note(several.join(", "))
                .help("say which: -n NAMESPACE"),
        ]),
    }
}

/// What is said of a release that is not there.
pub(crate) fn no_release<'k>(directory: &Path, name: &str, known: impl Iterator<Item = &'k str>) -> Diagnostic {
    let known: Vec<&str> = known.collect();
    let mut diagnostic =
        Diagnostic::error(code::NO_RELEASE, format!("there is no release {name}")).listing("releases", &known);
    if known.is_empty() {
        diagnostic = diagnostic.note("nothing is delivered here").help("landfall up");
    }
    diagnostic = diagnostic.did_you_mean(landfall_diag::nearest(name, known.iter().copied()));
    if !name.is_empty() && directory.join(name).is_dir() {
        diagnostic = diagnostic.help(format!("the directory is meant? write `./{name}`"));
    }
    diagnostic
}

/// Whether a word can only be a path or an address.
pub(crate) fn is_written_as_path(word: &str) -> bool {
    // `out.yaml:120` is a line of a file.
    let is_line = word.rsplit_once(':').is_some_and(|(_, line)| line.parse::<usize>().is_ok());
    let begins = ["./", "../", "/"].iter().any(|begin| word.starts_with(begin));
    let is_path = matches!(word, "." | "..") || begins;
    (is_path && !is_line) || RemoteRef::parse(word).is_some()
}

/// Whether the working directory belongs to a system.
pub(crate) fn is_in_system(directory: &Path) -> bool {
    directory.ancestors().any(|above| above.join(landfall_project::FILE_NAME).is_file())
}

/// Whether a chart, a system or an archive or manifest lies at a path.
pub(crate) fn is_delivered(path: &Path) -> bool {
    let has_kind =
        path.extension().is_some_and(|kind| ["tgz", "gz", "tar", "yaml", "yml", "json"].iter().any(|it| kind == *it));
    (has_kind && path.is_file()) || ["Chart.yaml", landfall_project::FILE_NAME].iter().any(|it| path.join(it).is_file())
}

/// Whether a system lies at a path, or a delivery's state.
fn is_system(path: &Path) -> bool {
    path.join(landfall_project::FILE_NAME).is_file() || path.join(".landfall").is_dir()
}

/// Whether a word is ports rather than a name: `8080:80`, `:80`.
fn is_port(word: &str) -> bool {
    word.contains(':') || word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_target(directory: &Path, word: &str, behind: Behind) -> bool {
    if is_written_as_path(word) {
        return true;
    }
    let path = directory.join(word);
    match (word.contains('/'), behind) {
        (true, Behind::Names) => true,
        (true, Behind::Objects) => path.exists() && !ObjectName::parse(word).is_some_and(|name| name.is_common()),
        (false, _) if is_in_system(directory) => false,
        // Charts are called as their workloads are, and lie where these are asked for.
        (false, Behind::Objects) => is_system(&path),
        (false, Behind::Names) => is_delivered(&path) || is_system(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
            std::fs::write(path, "").expect("written");
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// `TARGET : NAMES` of what was typed.
    fn told(named: &Named) -> String {
        format!("{}:{}", named.target.as_deref().unwrap_or_default(), named.names.join(","))
    }

    #[test]
    fn outside_of_a_system_a_directory_with_something_to_deliver_is_the_target() {
        let dir = tempfile::tempdir().expect("a directory");
        lay(
            dir.path(),
            &[
                "shop/landfall.yaml",
                "web/Chart.yaml",
                "src/main.rs",
                "deep/er/x",
                "web.tgz",
                "notes.txt",
                "work/.landfall/x",
            ],
        );
        for (typed, wanted) in [
            ("", ":"),
            ("shop", "shop:"),
            ("shop web api", "shop:web,api"),
            ("web 3", "web:3"),
            ("work", "work:"),
            ("web.tgz", "web.tgz:"),
            ("src", ":src"),
            ("./src", "./src:"),
            ("deep/er", "deep/er:"),
            ("deep/nowhere x", "deep/nowhere:x"),
            (". web", ".:web"),
            ("notes.txt", ":notes.txt"),
            ("https://host/x.git#v1 web", "https://host/x.git#v1:web"),
            ("git@host:shop.git web", "git@host:shop.git:web"),
        ] {
            assert_eq!(told(&Named::of(dir.path(), &words(typed), Behind::Names)), wanted, "{typed}");
        }
    }

    #[test]
    fn inside_a_system_a_word_is_a_name_and_a_path_is_written_as_one() {
        let dir = tempfile::tempdir().expect("a directory");
        lay(dir.path(), &["landfall.yaml", "web/Chart.yaml", "charts/web/Chart.yaml"]);
        for (typed, wanted) in
            [("web", ":web"), ("web 3", ":web,3"), ("./web 3", "./web:3"), ("charts/web", "charts/web:")]
        {
            assert_eq!(told(&Named::of(dir.path(), &words(typed), Behind::Names)), wanted, "{typed}");
        }
    }

    #[test]
    fn an_object_is_no_directory_of_the_same_name() {
        let dir = tempfile::tempdir().expect("a directory");
        lay(
            dir.path(),
            &["deployment/web/Chart.yaml", "shop/web/Chart.yaml", "web/Chart.yaml", "out.yaml", "sys/landfall.yaml"],
        );
        for (typed, wanted) in [
            ("deployment/web", ":deployment/web"),
            ("deployment/web spec.replicas", ":deployment/web,spec.replicas"),
            ("./deployment/web job/migrate", "./deployment/web:job/migrate"),
            ("shop/web deploy/web", "shop/web:deploy/web"),
            ("certificate/web spec.dnsNames", ":certificate/web,spec.dnsNames"),
            ("web", ":web"),
            ("web api", ":web,api"),
            ("web :80 api", ":web,:80,api"),
            ("sys web", "sys:web"),
            ("sys 8080:80", ":sys,8080:80"),
            ("./web web", "./web:web"),
            ("./out.yaml:3", ":./out.yaml:3"),
        ] {
            let named = Named::with_name(dir.path(), &words(typed), "usage").expect("something is named");
            assert_eq!(told(&named), wanted, "{typed}");
        }
        let refused = Named::with_name(dir.path(), &words("./web"), "usage").expect_err("only a directory");
        assert!(refused.message.contains("`./web`"), "{refused:?}");
    }

    #[test]
    fn a_word_too_many_is_refused() {
        let named = Named { target: None, names: words("a b c") };
        let refused = named.clone().at_most(2, "usage").expect_err("there are three");
        assert!(refused.message.contains("`c`"), "{refused:?}");
        assert_eq!(named.clone().at_most(3, "usage").ok(), Some(named));
    }

    #[test]
    fn a_release_is_found_wherever_it_lives_alone() {
        let there = [("shop", "web"), ("blog", "web"), ("shop", "api")];
        assert_eq!(one(Path::new("nowhere"), &there, "api", None).ok(), Some(("shop".to_owned(), "api".to_owned())));
        assert_eq!(
            one(Path::new("nowhere"), &there, "web", Some("blog")).ok(),
            Some(("blog".to_owned(), "web".to_owned()))
        );
        assert_eq!(one(Path::new("nowhere"), &there, "web", None).expect_err("two")[0].code, code::WHICH_NAMESPACE);
        let none = &one(Path::new("nowhere"), &there, "ap", None).expect_err("none")[0];
        assert_eq!((none.code, none.helps.is_empty()), (code::NO_RELEASE, false));
    }
}
