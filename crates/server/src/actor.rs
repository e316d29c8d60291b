//! Whoever asks, and what that one may: by the cluster's leave, by a token's scopes, or by its roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use landfall_apps::{Application, Project};
use landfall_diag::{Diagnostic, code};
use landfall_object::Object;

use crate::accounts::{Question, Roles, Subject, Who};
use crate::api::Line;
use crate::paths::Paths;

/// What a route asks of who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// What is done there.
    pub(crate) permission: Permission,
    /// Whether it is about what every project has.
    pub(crate) breadth: Breadth,
}

/// Whose Applications a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// Those that the one sees who asks.
    Seen,
    /// All.
    All,
}

/// What somebody may do with Applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look at them.
    Read,
    /// Sync them, roll them back, pin them, end what they do. Not how they sync by themselves, nor whether they are there.
    Sync,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 2] = [Scope::Read, Scope::Sync];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Sync => "sync",
        }
    }

    /// The scope of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Scope::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permission {
    /// What for, in a policy's words.
    pub(crate) resource: &'static str,
    /// What is done, in a policy's words.
    pub(crate) action: &'static str,
    /// What a token's scopes have to hold.
    pub(crate) scope: Scope,
    /// Whether it takes a role, so that a token may not do it by its scopes alone: how an Application syncs by itself, whether
    /// it is there at all, and what changes edges.
    is_for_roles: bool,
    /// What is enough instead, in a policy's words: a resource and what is done.
    or: &'static [(&'static str, &'static str)],
}

impl Permission {
    /// Of looking at Applications.
    pub(crate) const LOOK: Permission = Permission::of("applications", "get", Scope::Read);
    /// Of reading what their containers say.
    pub(crate) const LOGS: Permission = Permission::of("logs", "get", Scope::Read);
    /// Of having one looked at.
    pub(crate) const REFRESH: Permission = Permission::of("applications", "get", Scope::Sync);
    /// Of syncing, going back, pinning, ending what is under way.
    pub(crate) const SYNC: Permission = Permission::of("applications", "sync", Scope::Sync);
    /// Of saying how one syncs by itself.
    pub(crate) const UPDATE: Permission = Permission::for_roles("applications", "update");
    /// Of deleting one.
    pub(crate) const DELETE: Permission = Permission::for_roles("applications", "delete");
    /// Of reading who changed what.
    pub(crate) const AUDIT: Permission = Permission::of("audit", "get", Scope::Read);
    /// Of reading the server's metrics.
    pub(crate) const METRICS: Permission = Permission::of("metrics", "get", Scope::Read);

    /// Of looking at edges, releases and campaigns.
    pub(crate) const EDGES: Permission = Permission::of("edges", "get", Scope::Read);
    /// Of bringing releases to edges, and of changing edges.
    pub(crate) const ROLL_OUT: Permission = Permission::for_roles("edges", "update");
    /// Of minting and revoking what enrolls edges.
    pub(crate) const ENROLL: Permission = Permission::for_roles("edges", "create");
    /// Of reading the book: whoever writes into it has to, too.
    pub(crate) const BOOK: Permission = Permission {
        or: &[("promotions", "witness"), ("promotions", "hold"), ("promotions", "create")],
        ..Permission::LOOK
    };
    /// Of writing down what was seen.
    pub(crate) const WITNESS: Permission = Permission::of("promotions", "witness", Scope::Sync);
    /// Of writing down what was published: whoever promotes gives tags, and knows of none that they do not have.
    pub(crate) const PUBLISH: Permission = Permission { or: &[("promotions", "create")], ..Permission::WITNESS };
    /// Of holding a version back.
    pub(crate) const HOLD: Permission = Permission::of("promotions", "hold", Scope::Sync);
    /// Of promoting to an environment.
    pub(crate) const PROMOTE: Permission = Permission::of("promotions", "create", Scope::Sync);

    const fn of(resource: &'static str, action: &'static str, scope: Scope) -> Self {
        Permission { resource, action, scope, is_for_roles: false, or: &[] }
    }

    const fn for_roles(resource: &'static str, action: &'static str) -> Self {
        Permission { resource, action, scope: Scope::Sync, is_for_roles: true, or: &[] }
    }

    /// What permits it, each by itself: a resource and what is done.
    pub(crate) fn words(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        std::iter::once((self.resource, self.action)).chain(self.or.iter().copied())
    }
}

/// Whoever asks, and what that one may.
#[derive(Clone)]
pub struct Actor {
    /// What it is called in the audit log and in Applications.
    pub name: String,
    pub(crate) authority: Authority,
    pub(crate) means: Means,
    /// What it was let in for.
    pub(crate) asks: Permission,
}

/// By what somebody may do something.
#[derive(Clone)]
pub(crate) enum Authority {
    /// By what the cluster allows: whoever could do it without a server as well.
    OfCluster,
    /// By a token's scopes and projects.
    Scoped(Bounds),
    /// By the policy of roles as it stands when that is asked; a token's scopes and projects make it less.
    OfRoles { subject: Subject, roles: Arc<Roles>, within: Bounds },
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) scopes: BTreeSet<Scope>,
    /// Globs; `*` is every project.
    pub(crate) projects: Vec<String>,
    /// What Applications read of repositories where it may change them.
    pub(crate) paths: Paths,
}

impl Bounds {
    pub(crate) fn everything() -> Self {
        Bounds {
            scopes: Scope::ALL.into_iter().collect(),
            projects: vec![ALL_PROJECTS.to_owned()],
            paths: Paths::default(),
        }
    }

    fn hold(&self, permission: Permission, project: &str) -> bool {
        self.scopes.contains(&permission.scope) && is_for(&self.projects, project)
    }

    fn hold_all(&self) -> bool {
        self.projects.iter().any(|pattern| pattern == ALL_PROJECTS)
    }
}

/// By which means somebody came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Means {
    /// As this process, or with the token of the state directory.
    Here,
    /// With a token, by its public half.
    Token(String),
    /// With a browser's session.
    Session(Box<Who>),
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor").field("name", &self.name).field("asks", &self.asks).finish_non_exhaustive()
    }
}

impl Actor {
    /// Whoever may do all that the cluster allows: whoever could do it without a server as well.
    pub fn of_cluster(name: impl Into<String>) -> Self {
        let (authority, means) = (Authority::OfCluster, Means::Here);
        Actor { name: name.into(), authority, means, asks: Permission::LOOK }
    }

    /// Whether it may do that with an Application of a project, in a namespace.
    pub(crate) fn may(&self, permission: Permission, (project, namespace, name): (&str, &str, &str)) -> bool {
        match &self.authority {
            Authority::OfCluster => true,
            Authority::Scoped(bounds) => !permission.is_for_roles && bounds.hold(permission, project),
            Authority::OfRoles { subject, roles, within } => {
                let object = match namespace {
                    Project::HOME => format!("{project}/{name}"),
                    namespace => format!("{project}/{namespace}/{name}"),
                };
                let standing = roles.now();
                let may = |(resource, action)| standing.may(subject, &Question { resource, action, object: &object });
                within.hold(permission, project) && permission.words().any(may)
            }
        }
    }

    /// Whether it is let do what a token or a role says, and not all that the cluster allows.
    pub(crate) fn is_bound(&self) -> bool {
        !matches!(self.authority, Authority::OfCluster)
    }

    /// The paths of repositories that bound what it may change.
    pub(crate) fn paths(&self) -> Option<&Paths> {
        let bounds = match &self.authority {
            Authority::OfCluster => return None,
            Authority::Scoped(bounds) | Authority::OfRoles { within: bounds, .. } => bounds,
        };
        Some(&bounds.paths).filter(|paths| paths.bound())
    }

    /// Whether its paths let it do that with an Application: it changes nothing that reads another file.
    pub(crate) fn reaches(&self, permission: Permission, application: &Object) -> bool {
        let Some(paths) = self.paths().filter(|_| permission.scope == Scope::Sync) else { return true };
        Application::parse(application).is_ok_and(|application| paths.hold(&application))
    }

    /// Whether it sees an Application.
    pub(crate) fn sees(&self, line: &Line) -> bool {
        self.may(Permission::LOOK, (&line.project, &line.namespace, &line.name))
    }

    /// The same one, let in for something.
    #[must_use]
    pub(crate) fn asking(mut self, permission: Permission) -> Self {
        self.asks = permission;
        self
    }

    /// What it was let in for.
    pub(crate) fn asks(&self) -> Permission {
        self.asks
    }

    /// Whoever is behind its session.
    pub(crate) fn session(&self) -> Option<&Who> {
        match &self.means {
            Means::Session(who) => Some(who),
            _ => None,
        }
    }

    /// By what it is known: `account`, `issuer`, `token`, `machine`.
    pub(crate) fn by(&self) -> &'static str {
        match &self.means {
            Means::Here => "machine",
            Means::Token(_) => "token",
            Means::Session(who) if who.issuer.is_empty() => "account",
            Means::Session(_) => "issuer",
        }
    }

    /// Whether there may be something with which it may do that; of what is nobody's, whether it may.
    pub(crate) fn may_somewhere(&self, need: Need) -> bool {
        let Permission { scope, is_for_roles, .. } = need.permission;
        let bounds_hold =
            |bounds: &Bounds| bounds.scopes.contains(&scope) && (need.breadth == Breadth::Seen || bounds.hold_all());
        match &self.authority {
            Authority::OfCluster => true,
            Authority::Scoped(bounds) => !is_for_roles && bounds_hold(bounds),
            Authority::OfRoles { subject, roles, within } => {
                let standing = roles.now();
                let may = |(resource, action)| match need.breadth {
                    Breadth::Seen => standing.may_somewhere(subject, resource, action),
                    Breadth::All => standing.may(subject, &Question { resource, action, object: "*" }),
                };
                bounds_hold(within) && need.permission.words().any(may)
            }
        }
    }

    /// What it is called where it is refused.
    fn told(&self) -> String {
        match &self.means {
            Means::Token(_) => format!("the token `{}`", self.name),
            _ => format!("`{}`", self.name),
        }
    }
}

/// The glob of every project.
pub const ALL_PROJECTS: &str = "*";

/// Whether a token with these patterns is for a project.
pub fn is_for(projects: &[String], project: &str) -> bool {
    projects.iter().any(|pattern| fits(pattern, project))
}

/// Whether a project's name fits a pattern in which `*` is any text.
fn fits(pattern: &str, project: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == project };
    let Some(behind) = project.strip_prefix(front) else { return false };
    (0..=behind.len()).filter(|at| behind.is_char_boundary(*at)).any(|at| fits(rest, &behind[at..]))
}

/// Why somebody may not do what a route is for.
pub(crate) fn no_right(actor: &Actor, need: Need) -> Diagnostic {
    let Permission { resource, action, scope, is_for_roles, .. } = need.permission;
    let by_roles = |bounds: &Bounds| bounds.scopes.contains(&scope);
    let bounds = match &actor.authority {
        Authority::OfRoles { within, .. } if by_roles(within) => {
            let text = format!("no role of {} allows `{resource}, {action}`", actor.told());
            let object = match (need.breadth, resource) {
                (Breadth::All, _) => "*",
                (Breadth::Seen, "promotions") => "ENVIRONMENT/*",
                (Breadth::Seen, _) => "PROJECT/*",
            };
            let told = Diagnostic::refused(code::NO_ROLE_FOR_IT, text);
            let words = need.permission.words().filter(|(of, _)| *of == resource);
            return words.fold(told, |told, (resource, action)| {
                told.help(format!(
                    "a line of policy.csv would (`serve --policy`, else the ConfigMap argocd-rbac-cm): p, ROLE, {resource}, {action}, {object}, allow",
                ))
            });
        }
        Authority::Scoped(_) if is_for_roles => {
            let text = format!("{} has no role, and `{resource}, {action}` is for roles", actor.told());
            return Diagnostic::refused(code::NO_ROLE_FOR_IT, text)
                .help("issue one with a role that may: landfall token create NAME --role ROLE");
        }
        Authority::OfRoles { within: bounds, .. } | Authority::Scoped(bounds) => bounds,
        Authority::OfCluster => {
            return Diagnostic::refused(code::TOO_SMALL_SCOPE, format!("{} is not for that", actor.told()));
        }
    };
    let text = match bounds.scopes.contains(&scope) {
        false => format!("{} is not for `{}`", actor.told(), scope.word()),
        true => format!("{} is not for every project", actor.told()),
    };
    Diagnostic::refused(code::TOO_SMALL_SCOPE, text)
        .help("issue one that is: landfall token create NAME --scope read --scope sync")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_pattern_is_the_name_or_has_stars() {
        for (pattern, project, expected) in [
            ("*", "anything", true),
            ("shop", "shop", true),
            ("shop", "shop-2", false),
            ("shop-*", "shop-2", true),
            ("shop-*", "shop", false),
            ("*-prod", "shop-prod", true),
            ("s*p*d", "shop-prod", true),
            ("", "shop", false),
        ] {
            assert_eq!(fits(pattern, project), expected, "{pattern} {project}");
        }
    }
}
