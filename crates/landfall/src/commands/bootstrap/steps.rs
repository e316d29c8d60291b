//! The seven steps, as an environment's declaration makes them: pure.

use landfall_host::Place;
use landfall_machine::K3d;
use landfall_project::{Environment, FILE_NAME};

use super::BootstrapArgs;
use super::chart::STANDS_FOR;

/// How many there are.
pub(super) const STEPS: usize = 7;

/// The addon that opens sealed values.
const SEALING: &str = "sealed-secrets";

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What it is called.
    pub(super) id: &'static str,
    /// What is there when it is done.
    pub(super) what: String,
    /// What is done for it, in order; nothing where nothing of the kind is declared.
    pub(super) deeds: Vec<Deed>,
}

/// Something that is done for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// Nothing is done: the embedded cluster brings it.
    Simulated(String),
    /// A command of ours.
    Command(Vec<String>),
    /// The command that makes the cluster, where it does not answer.
    Cluster(Vec<String>),
    /// A command that takes the server's chart.
    Chart(Vec<String>),
    /// The token for these repositories goes to the cluster, where one is given.
    Credentials(Vec<String>),
    /// These files are committed, and pushed.
    Commit(Vec<String>),
    /// What this command lists is left to a person.
    Pending(Vec<String>),
}

impl Deed {
    /// As it is told.
    pub(super) fn told(&self) -> String {
        match self {
            Deed::Simulated(what) => format!("~ {what}"),
            Deed::Command(words) | Deed::Chart(words) | Deed::Pending(words) => format!("landfall {}", words.join(" ")),
            Deed::Cluster(words) => format!("landfall {}   (where it does not answer)", words.join(" ")),
            Deed::Credentials(repositories) => {
                format!("the forge's token for {}, where one is given", repositories.join(", "))
            }
            Deed::Commit(files) => format!("git commit {}, and push", files.join(" ")),
        }
    }
}

/// What the steps are made from.
pub(super) struct Steps<'a> {
    pub(super) place: &'a Place,
    pub(super) environment: &'a str,
    pub(super) declared: &'a Environment,
    pub(super) args: &'a BootstrapArgs,
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

impl Steps<'_> {
    /// All of them.
    pub(super) fn all(&self) -> Vec<Step> {
        let sealing = |it: &&landfall_project::AddonSpec| it.name == SEALING;
        let all = [
            Step { id: "cluster", what: format!("{} answers", self.place.cluster.shown()), deeds: self.cluster() },
            Step {
                id: "addons",
                what: "the operators that the system leans on run".to_owned(),
                deeds: self.addons(|it| !sealing(&it)),
            },
            Step {
                id: "sealing",
                what: "the sealing controller runs".to_owned(),
                deeds: self.addons(|it| sealing(&it)),
            },
            Step {
                id: "server",
                what: "the GitOps server runs, and may read the repository".to_owned(),
                deeds: self.server(),
            },
            Step { id: "secrets", what: "every key is there, sealed and saved".to_owned(), deeds: self.secrets() },
            Step {
                id: "deliver",
                what: "what was sealed is in git, and the system runs".to_owned(),
                deeds: self.deliver(),
            },
            Step {
                id: "handover",
                what: "copies of secrets elsewhere are those of the cluster".to_owned(),
                deeds: self.handover(),
            },
        ];
        debug_assert_eq!(all.len(), STEPS, "seven steps");
        all.to_vec()
    }

    /// A command for the environment.
    fn here(&self, text: &str) -> Vec<String> {
        let mut command = words(text);
        command.extend(["--env".to_owned(), self.environment.to_owned()]);
        self.to_kubeconfig(&mut command);
        command
    }

    fn to_kubeconfig(&self, command: &mut Vec<String>) {
        if let Some(file) = &self.args.kubeconfig {
            command.extend(["--kubeconfig".to_owned(), file.clone()]);
        }
    }

    fn repos(&self, command: &mut Vec<String>) {
        command.extend(self.args.repos.iter().flat_map(|pair| ["--repo".to_owned(), pair.clone()]));
    }

    fn cluster(&self) -> Vec<Deed> {
        let Some(remote) = self.place.cluster.remote() else {
            return vec![Deed::Simulated("the embedded cluster stands in for a real one".to_owned())];
        };
        match K3d::cluster_of(&remote.name) {
            Some(name) => {
                let mut command = words(&format!("cluster create {name} --driver k3d"));
                self.to_kubeconfig(&mut command);
                vec![Deed::Cluster(command)]
            }
            // Another's cluster: it answers, or it is said that it does not.
            None => vec![Deed::Command(self.here("addon list"))],
        }
    }

    fn addons(&self, is_meant: impl Fn(&landfall_project::AddonSpec) -> bool) -> Vec<Deed> {
        let meant = self.declared.addons.iter().filter(|it| is_meant(it));
        meant
            .map(|addon| match self.place.cluster.is_kept_in_state() {
                true => {
                    Deed::Simulated(format!("the embedded cluster's own {}: not installed, not checked", addon.name))
                }
                false => Deed::Command(self.here(&format!("addon install {} --yes", addon.name))),
            })
            .collect()
    }

    fn server(&self) -> Vec<Deed> {
        if self.declared.applications.is_none() {
            return Vec::new();
        }
        let mut command = words(&format!("up {STANDS_FOR} --namespace landfall --yes"));
        if let Some(remote) = self.place.cluster.remote() {
            command.extend(["--context".to_owned(), remote.name.clone()]);
        }
        self.to_kubeconfig(&mut command);
        command.extend(["--state".to_owned(), self.place.state.path().display().to_string()]);
        if let Some(image) = &self.args.image {
            let is_tag = |(_, tag): &(&str, &str)| !tag.contains('/');
            let (repository, tag) = image.rsplit_once(':').filter(is_tag).unwrap_or((image, ""));
            command.extend(["--set".to_owned(), format!("image.repository={repository},image.tag={tag}")]);
        }
        vec![Deed::Chart(command), Deed::Credentials(self.repositories())]
    }

    /// The repositories of the environment's Applications that are to be asked for.
    fn repositories(&self) -> Vec<String> {
        let objects = self.place.target.declared_objects(Some(self.environment)).unwrap_or_default();
        let mut found: Vec<String> = objects
            .iter()
            .flat_map(|object| {
                let one = object.str_at("/spec/source/repoURL").map(str::to_owned);
                let several = object.at("/spec/sources").and_then(serde_json::Value::as_array).into_iter().flatten();
                let several = several.filter_map(|it| it.get("repoURL")?.as_str().map(str::to_owned));
                one.into_iter().chain(several).collect::<Vec<_>>()
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    fn secrets(&self) -> Vec<Deed> {
        let Some(declared) = &self.declared.secrets else { return Vec::new() };
        let all = declared.all().map(|(among, secrets)| {
            let mut command = self.here("secrets init --yes");
            if among.is_some() {
                command.extend(["--secret".to_owned(), secrets.target.to_string()]);
            }
            let flags = [
                ("--backup", &self.args.backup),
                ("--plain", &self.args.plain),
                ("--from-file", &self.args.from_file),
                ("--recipients-file", &self.args.recipients_file),
            ];
            for (flag, value) in flags {
                // One file of new values is one Secret's.
                let value = value.as_ref().filter(|_| among.is_none() || flag == "--recipients-file");
                command.extend(value.into_iter().flat_map(|value| [flag.to_owned(), self.unused(flag, value)]));
            }
            command.extend(self.args.recipient.iter().flat_map(|one| ["--recipient".to_owned(), one.clone()]));
            self.repos(&mut command);
            Deed::Command(command)
        });
        all.collect()
    }

    /// A name for a new file: one that an interrupted run has written is not replaced, another is written beside it.
    fn unused(&self, flag: &str, name: &str) -> String {
        if !matches!(flag, "--backup" | "--plain") {
            return name.to_owned();
        }
        let (stem, ending) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).unwrap_or((name, ""));
        let numbered = (2..).map(|number| match ending {
            "" => format!("{name}-{number}"),
            _ => format!("{stem}-{number}.{ending}"),
        });
        std::iter::once(name.to_owned())
            .chain(numbered)
            .find(|name| !std::path::Path::new(name).exists())
            .unwrap_or_else(|| name.to_owned())
    }

    fn deliver(&self) -> Vec<Deed> {
        let mut files = Vec::new();
        if let Some(declared) = &self.declared.secrets {
            files.extend(declared.all().filter_map(|(_, secrets)| secrets.file.as_ref().map(ToString::to_string)));
            files.push(FILE_NAME.to_owned());
        }
        let mut command = self.here("up --yes");
        if self.args.allow_unsimulated {
            command.push("--allow-unsimulated".to_owned());
        }
        self.repos(&mut command);
        let commit = (!files.is_empty()).then_some(Deed::Commit(files));
        // What is the same already is not waited for by a delivery, and may be ill all the same.
        let stands = Deed::Command(self.here("status"));
        commit.into_iter().chain([Deed::Command(command), stands]).collect()
    }

    fn handover(&self) -> Vec<Deed> {
        let Some(declared) = &self.declared.secrets else { return Vec::new() };
        let mut deeds = Vec::new();
        for (among, secrets) in declared.all() {
            let mut command = self.here("secrets pending");
            if among.is_some() {
                command.extend(["--secret".to_owned(), secrets.target.to_string()]);
            }
            self.repos(&mut command);
            let done: Vec<&String> =
                self.args.done.iter().filter(|key| secrets.keys.contains_key(key.as_str())).collect();
            if !done.is_empty() {
                let mut said = command.clone();
                said.push("--yes".to_owned());
                said.extend(done.into_iter().flat_map(|key| ["--done".to_owned(), key.clone()]));
                deeds.push(Deed::Command(said));
            }
            deeds.push(Deed::Pending(command));
        }
        deeds
    }
}
