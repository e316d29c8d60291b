//! The kubeconfigs that lie below an account's home: what of production they reach, by what they say and by what the
//! API answers.

use std::path::PathBuf;

use serde_json::Value;

use crate::machine::{Account, account, shown, wrong};
use crate::{Area, Machine, Observation};

/// Most files that are looked at below a home.
const MOST: usize = 20_000;

/// A kubeconfig, read. It holds credentials, so it shows itself to nobody.
pub struct FoundKubeconfig {
    /// Its path on the machine, for people.
    pub shown: String,
    /// What it holds.
    pub config: Value,
}

/// The kubeconfigs of an account.
pub struct Kubeconfigs {
    home: String,
    /// Those that could be read.
    pub found: Vec<FoundKubeconfig>,
    /// What could not be looked into.
    closed: Vec<String>,
}

/// What an API has answered to the question what a context may do in a namespace.
#[derive(Debug, Clone, PartialEq)]
pub enum RightsAnswer {
    /// A `SelfSubjectRulesReview`.
    Review(Value),
    /// The cluster has no such namespace.
    NoNamespace,
    /// It could not be asked, and why.
    NotAsked(String),
}

impl Kubeconfigs {
    /// The kubeconfigs below the home of a machine's account; none where there is no such account.
    pub fn of(machine: &Machine) -> Option<Self> {
        account(machine).map(|account| Kubeconfigs::below(machine, &account))
    }

    pub(crate) fn below(machine: &Machine, account: &Account) -> Self {
        let (files, closed) = files(machine, account);
        let read = |file: PathBuf| {
            let text = std::fs::read_to_string(&file).ok()?;
            let config = landfall_yaml::to_json(&text).ok()?;
            (config["kind"] == "Config" && config.get("contexts").is_some())
                .then(|| FoundKubeconfig { shown: shown(machine, &file), config })
        };
        let home = account.home.clone();
        Kubeconfigs { home, found: files.into_iter().filter_map(read).collect(), closed }
    }

    /// What they say themselves of what they reach.
    pub(crate) fn observations(&self, production: &[String]) -> Vec<Observation> {
        let mut seen = Vec::new();
        for found in &self.found {
            for (_, reach) in found.reaches(production) {
                seen.push(
                    wrong(found.shown.clone(), format!("reaches production: {reach}"))
                        .help(format!("remove the context from {}", found.shown)),
                );
            }
        }
        for path in &self.closed {
            seen.push(Observation::not_checked(Area::Host, path.as_str(), "this account may not look into it"));
        }
        if seen.is_empty() {
            let what = format!("kubeconfigs below /{}", self.home);
            seen.push(Observation::fine(
                Area::Host,
                what,
                format!("{} found, none names production", self.found.len()),
            ));
        }
        seen
    }
}

/// The files that may be kubeconfigs, and what could not be looked into.
fn files(machine: &Machine, account: &Account) -> (Vec<PathBuf>, Vec<String>) {
    let (mut files, mut closed) = (Vec::new(), Vec::new());
    let mut looked = 0;
    let mut open = vec![machine.root.join(&account.home)];
    while let Some(directory) = open.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(_) => {
                closed.push(shown(machine, &directory));
                continue;
            }
        };
        for entry in entries.flatten() {
            looked += 1;
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && name != "node_modules" && name != ".git" {
                open.push(entry.path());
            } else if kind.is_file()
                && (name.contains("kube")
                    || name == "config"
                    || name.ends_with(".conf")
                    || name.ends_with(".yaml")
                    || name.ends_with(".yml"))
            {
                files.push(entry.path());
            }
        }
        if looked > MOST {
            closed.push(format!("what is left after {MOST} files"));
            break;
        }
    }
    (files, closed)
}

impl FoundKubeconfig {
    /// The contexts that say nothing of production: what they may do there only the API knows.
    pub fn silent_contexts(&self, production: &[String]) -> Vec<String> {
        let told: Vec<String> = self.reaches(production).into_iter().map(|(context, _)| context).collect();
        let contexts = self.config["contexts"].as_array().into_iter().flatten();
        let names = contexts.filter_map(|context| context["name"].as_str()).map(str::to_owned);
        names.filter(|name| !told.contains(name)).collect()
    }

    /// What it reaches of what is production's, by the names of contexts, servers and namespaces: context, and words.
    fn reaches(&self, production: &[String]) -> Vec<(String, String)> {
        let config = &self.config;
        let named = |list: &str, name: &str| {
            config[list]
                .as_array()
                .into_iter()
                .flatten()
                .find(|entry| entry["name"] == name)
                .cloned()
                .unwrap_or_default()
        };
        let mut found = Vec::new();
        for context in config["contexts"].as_array().into_iter().flatten() {
            let name = context["name"].as_str().unwrap_or_default();
            let cluster = named("clusters", context["context"]["cluster"].as_str().unwrap_or_default());
            let server = cluster["cluster"]["server"].as_str().unwrap_or_default().to_owned();
            let namespace = context["context"]["namespace"].as_str().unwrap_or_default();
            let user = named("users", context["context"]["user"].as_str().unwrap_or_default());
            // An identity with a certificate of its own is the administrator's in k3s and kubeadm.
            let is_administrator = user["user"].get("client-certificate-data").is_some();
            if production.iter().any(|it| it == name || *it == server || *it == namespace) {
                found.push((name.to_owned(), format!("context {name}")));
            } else if is_administrator {
                let words = format!("context {name} with a client's certificate, as administrators have");
                found.push((name.to_owned(), words));
            }
        }
        found
    }

    /// What the API has answered of a context, held against what it may do: nothing but look.
    pub fn rights(&self, context: &str, namespace: &str, answer: &RightsAnswer) -> Observation {
        let what = format!("{} (context {context})", self.shown);
        match answer {
            RightsAnswer::NotAsked(why) => Observation::not_checked(Area::Host, what, why.as_str()),
            RightsAnswer::NoNamespace => {
                Observation::fine(Area::Host, what, format!("its cluster has no namespace {namespace}"))
            }
            RightsAnswer::Review(review) => {
                let rights = changing(review);
                if rights.is_empty() {
                    let seen = format!("the API says that it changes nothing in namespace {namespace}");
                    return Observation::fine(Area::Host, what, seen);
                }
                let more = rights.len().saturating_sub(3);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let seen = format!(
                    "may change namespace {namespace}, says the API: {}{more}",
                    rights[..rights.len().min(3)].join(", ")
                );
                wrong(what, seen).help(format!("take the rights away, or remove the context from {}", self.shown))
            }
        }
    }
}

/// What a review of an account's own rules lets it change, as `verb resource`.
fn changing(review: &Value) -> Vec<String> {
    let words = |rule: &Value, list: &str| -> Vec<String> {
        rule[list].as_array().into_iter().flatten().filter_map(|it| it.as_str()).map(str::to_owned).collect()
    };
    let mut found = Vec::new();
    for rule in review["status"]["resourceRules"].as_array().into_iter().flatten() {
        let verbs: Vec<String> = words(rule, "verbs")
            .into_iter()
            .filter(|verb| !matches!(verb.as_str(), "get" | "list" | "watch" | "proxy"))
            .collect();
        for resource in words(rule, "resources") {
            // Everybody may ask what he may do: that changes nothing.
            let is_question = resource.starts_with("selfsubject") && resource.ends_with("reviews");
            found.extend(verbs.iter().filter(|_| !is_question).map(|verb| format!("{verb} {resource}")));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::State;

    #[test]
    fn se_061_what_the_api_says_decides_and_not_what_a_file_is_called() {
        let found = FoundKubeconfig { shown: "/accounts/deploy-test/.kube/config".into(), config: json!({}) };
        let seen = |rules: Value| {
            found.rights("a", "sens-production", &RightsAnswer::Review(json!({"status": {"resourceRules": rules}})))
        };
        let questions = json!({"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]});
        let looks = json!({"verbs": ["get", "list", "watch"], "apiGroups": ["", "apps"], "resources": ["*"]});
        assert_eq!(seen(json!([questions, looks])).state, State::Fine);
        assert_eq!(seen(json!([])).state, State::Fine);
        for (verbs, resources) in [
            (json!(["*"]), json!(["*"])),
            (json!(["get", "patch"]), json!(["deployments"])),
            (json!(["create"]), json!(["pods/exec"])),
            (json!(["delete"]), json!(["secrets"])),
            (json!(["impersonate"]), json!(["users"])),
        ] {
            let one = seen(json!([questions, {"verbs": verbs, "apiGroups": ["*"], "resources": resources}]));
            assert_eq!(one.state, State::Wrong, "{one:?}");
            assert!(one.finding.is_some_and(|it| it.rule == "LF135" && it.fails()));
        }
        let silent = found.rights("a", "sens-production", &RightsAnswer::NotAsked("no answer in time".into()));
        assert_eq!(silent.state, State::NotChecked, "what was not asked is not fine");
    }

    #[test]
    fn contexts_that_say_nothing_of_production_are_those_to_ask_about() {
        let config = json!({"kind": "Config", "contexts": [
            {"name": "prod", "context": {"cluster": "c", "user": "u"}},
            {"name": "quiet", "context": {"cluster": "c", "user": "u"}}]});
        let found = FoundKubeconfig { shown: "/a".into(), config };
        assert_eq!(found.silent_contexts(&["prod".to_owned()]), ["quiet"]);
    }
}
