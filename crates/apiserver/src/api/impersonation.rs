//! Acting as somebody else: every name, group, UID and attribute of theirs that a request asks for is checked
//! (apiserver `pkg/endpoints/filters/impersonation`).
//!
//! Modes are tried in turn. A constrained one needs `impersonate-on:MODE:VERB` for the request itself and
//! `impersonate:MODE` for whom it is made as; the last, the oldest, needs `impersonate` alone. When all fail, the first
//! refusal is told.

use std::collections::{BTreeMap, HashMap};

use http::HeaderMap;
use parking_lot::Mutex;

use super::query::percent_decode;
use crate::rbac::{self, Attributes, Decision};
use crate::status::Status;
use crate::validate::{is_label, is_subdomain};
use crate::world::{User, World};

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
/// From so many groups or attributes on, a constrained mode asks for all of them at once first.
const MANY: usize = 4;
/// So many users' last modes are remembered.
const REMEMBERED: usize = 10_000;

/// By which mode each user impersonated last: it is tried first, and its refusal is the one that is told.
#[derive(Default)]
pub(crate) struct LastModes(Mutex<HashMap<String, Mode>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Node,
    ServiceAccount,
    UserInfo,
    Legacy,
}

impl LastModes {
    fn of(&self, user: &User) -> Option<Mode> {
        self.0.lock().get(&user.name).copied()
    }

    fn set(&self, user: &User, mode: Mode) {
        let mut modes = self.0.lock();
        if modes.len() >= REMEMBERED {
            modes.clear();
        }
        modes.insert(user.name.clone(), mode);
    }
}

/// Whether a request names anybody to be carried out as.
pub(crate) fn asks_for_another(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("impersonate-"))
}

/// Whom the request is to be carried out as.
pub(crate) fn impersonate(
    world: &World,
    last: &LastModes,
    requestor: &User,
    headers: &HeaderMap,
    asked: &Attributes,
) -> Result<User, Status> {
    let Some(wanted) = wanted(headers)? else { return Ok(requestor.clone()) };
    let first = last.of(requestor);
    let all = [Mode::Node, Mode::ServiceAccount, Mode::UserInfo, Mode::Legacy];
    let mut refusal = None;
    for mode in first.into_iter().chain(all.into_iter().filter(|mode| Some(*mode) != first)) {
        if !mode.fits(&wanted) {
            continue;
        }
        let check = Check { world, requestor, mode };
        match check.all(&wanted, asked) {
            Ok(user) => {
                last.set(requestor, mode);
                return Ok(user);
            }
            Err(status) => refusal = refusal.or(Some(status)),
        }
    }
    Err(refusal.unwrap_or_else(|| Status::plain_error("all impersonation modes failed")))
}

/// What the headers ask for, as they say it.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let first = |name: &str| headers.get(name).map(text).unwrap_or_default();
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (header, value) in headers {
        if let Some(key) = header.as_str().strip_prefix("impersonate-extra-") {
            extra.entry(percent_decode(key)).or_default().push(text(value));
        }
    }
    let groups: Vec<String> = headers.get_all("impersonate-group").iter().map(text).collect();
    let user = User { name: first("impersonate-user"), uid: first("impersonate-uid"), groups, extra };
    if !user.name.is_empty() {
        return Ok(Some(user));
    }
    if user.uid.is_empty() && user.groups.is_empty() && user.extra.is_empty() {
        return Ok(None);
    }
    Err(Status::bad_request(format!("requested {} without impersonating a user name", go_value(&user))))
}

/// `%#v` of a `*user.DefaultInfo`.
fn go_value(user: &User) -> String {
    let list = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
        if texts.is_empty() { "[]string(nil)".to_owned() } else { format!("[]string{{{}}}", texts.join(", ")) }
    };
    let extra = match user.extra.is_empty() {
        true => "map[string][]string(nil)".to_owned(),
        false => {
            let pairs: Vec<String> =
                user.extra.iter().map(|(key, values)| format!("{key:?}:{}", list(values))).collect();
            format!("map[string][]string{{{}}}", pairs.join(", "))
        }
    };
    format!(
        "&user.DefaultInfo{{Name:{:?}, UID:{:?}, Groups:{}, Extra:{extra}}}",
        user.name,
        user.uid,
        list(&user.groups)
    )
}

impl Mode {
    /// Whether the mode is for such a user at all. That of nodes which tokens are bound to is missing: no token is.
    fn fits(self, wanted: &User) -> bool {
        let only_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        match self {
            Self::Node => only_name && node(&wanted.name).is_some(),
            Self::ServiceAccount => only_name && service_account(&wanted.name).is_some(),
            Self::UserInfo => node(&wanted.name).is_none() && service_account(&wanted.name).is_none(),
            Self::Legacy => true,
        }
    }

    /// The mode's part of verbs; none for the oldest.
    fn constraint(self) -> Option<&'static str> {
        match self {
            Self::Node => Some("arbitrary-node"),
            Self::ServiceAccount => Some("serviceaccount"),
            Self::UserInfo => Some("user-info"),
            Self::Legacy => None,
        }
    }
}

/// The checks of one mode.
struct Check<'a> {
    world: &'a World,
    requestor: &'a User,
    mode: Mode,
}

impl Check<'_> {
    fn all(&self, wanted: &User, asked: &Attributes) -> Result<User, Status> {
        if let Some(constraint) = self.mode.constraint() {
            let verb = format!("impersonate-on:{constraint}:{}", asked.verb);
            self.authorize(&Attributes { verb, ..asked.clone() })?;
        }
        let mut user = wanted.clone();
        self.name(wanted, &mut user)?;
        if !wanted.uid.is_empty() {
            self.authorize(&self.attributes(AUTHENTICATION, "uids", &wanted.uid))?;
        }
        self.groups(&wanted.groups)?;
        self.extra(&wanted.extra)?;
        let has = |group: &str| user.groups.iter().any(|known| known == group);
        let missing = if user.name == "system:anonymous" {
            (!has(UNAUTHENTICATED)).then_some(UNAUTHENTICATED)
        } else {
            (!has(UNAUTHENTICATED) && !has(AUTHENTICATED)).then_some(AUTHENTICATED)
        };
        user.groups.extend(missing.map(str::to_owned));
        Ok(user)
    }

    fn name(&self, wanted: &User, user: &mut User) -> Result<(), Status> {
        let mut attributes = self.attributes(self.group(), "users", &wanted.name);
        if let Some(name) = node(&wanted.name).filter(|_| self.mode.constraint().is_some()) {
            attributes.resource = "nodes".to_owned();
            attributes.name = name.to_owned();
            user.groups = vec!["system:nodes".to_owned()];
        }
        if let Some((namespace, name)) = service_account(&wanted.name) {
            attributes.resource = "serviceaccounts".to_owned();
            attributes.namespace = namespace.to_owned();
            attributes.name = name.to_owned();
            if wanted.groups.is_empty() {
                user.groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
            }
        }
        self.authorize(&attributes)
    }

    fn groups(&self, groups: &[String]) -> Result<(), Status> {
        let attributes = |name: &str| self.attributes(self.group(), "groups", name);
        if self.mode.constraint().is_some() {
            if groups.iter().any(String::is_empty) {
                return Err(self.refuse(&attributes(""), "impersonating the empty string group is not allowed"));
            }
            if groups.iter().any(|group| group == "system:masters") {
                let why = "impersonating the system:masters group is not allowed";
                return Err(self.refuse(&attributes("system:masters"), why));
            }
            if groups.len() >= MANY && self.authorize(&attributes("*")).is_ok() {
                return Ok(());
            }
        }
        groups.iter().try_for_each(|group| self.authorize(&attributes(group)))
    }

    fn extra(&self, extra: &BTreeMap<String, Vec<String>>) -> Result<(), Status> {
        let attributes = |key: &str, value: &str| Attributes {
            subresource: key.to_owned(),
            ..self.attributes(AUTHENTICATION, "userextras", value)
        };
        if self.mode.constraint().is_some() {
            if let Some(why) = extra.iter().find_map(|(key, values)| wrong_extra(key, values)) {
                return Err(self.refuse(&attributes("", ""), &why));
            }
            let many = extra.len() >= MANY || extra.values().map(Vec::len).sum::<usize>() >= MANY;
            if many && self.authorize(&attributes("*", "*")).is_ok() {
                return Ok(());
            }
        }
        let mut pairs = extra.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
        pairs.try_for_each(|(key, value)| self.authorize(&attributes(key, value)))
    }

    /// The API group of users and groups: that of the core for the oldest mode.
    fn group(&self) -> &'static str {
        if self.mode.constraint().is_some() { AUTHENTICATION } else { "" }
    }

    fn attributes(&self, group: &str, resource: &str, name: &str) -> Attributes {
        let verb = match self.mode.constraint() {
            Some(constraint) => format!("impersonate:{constraint}"),
            None => "impersonate".to_owned(),
        };
        Attributes::resource(&verb, group, "", resource, name)
    }

    fn authorize(&self, asked: &Attributes) -> Result<(), Status> {
        match rbac::decide(self.world, self.requestor, asked) {
            Decision::Allowed(_) => Ok(()),
            Decision::NoOpinion(why) => Err(self.refuse(asked, &why)),
        }
    }

    fn refuse(&self, asked: &Attributes, why: &str) -> Status {
        rbac::refusal(self.requestor, asked, why)
    }
}

/// What a constrained mode finds wrong with an attribute.
fn wrong_extra(key: &str, values: &[String]) -> Option<String> {
    if key.is_empty() {
        return Some("impersonating the empty string key in extra is not allowed".to_owned());
    }
    let is_path = |path: &str| !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%');
    if !key.split_once('/').is_some_and(|(domain, path)| is_subdomain(domain) && is_path(path)) {
        return Some(format!(
            "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {key:?}: must be a domain-prefixed path (such as \"acme.io/foo\")"
        ));
    }
    if key != key.to_lowercase() {
        return Some(format!("impersonating a non-lowercase key in extra is not allowed: {key:?}"));
    }
    let empty = values.iter().any(String::is_empty);
    empty.then(|| "impersonating the empty string value in extra is not allowed".to_owned())
}

/// The node that a user name stands for.
fn node(name: &str) -> Option<&str> {
    name.strip_prefix("system:node:").filter(|node| is_subdomain(node))
}

/// Namespace and name of the service account that a user name stands for.
fn service_account(name: &str) -> Option<(&str, &str)> {
    let (namespace, account) = name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (is_label(namespace) && is_subdomain(account)).then_some((namespace, account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_service_accounts() {
        assert_eq!(service_account("system:serviceaccount:default:robot"), Some(("default", "robot")));
        assert_eq!(service_account("system:serviceaccount:default:robot:x"), None);
        assert_eq!(service_account("system:serviceaccount:default"), None);
        assert_eq!(service_account("system:serviceaccount::robot"), None);
    }

    #[test]
    fn what_is_asked_for_without_a_name_is_told() {
        let user = User { groups: vec!["a".to_owned()], ..User::default() };
        assert_eq!(
            go_value(&user),
            "&user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"a\"}, Extra:map[string][]string(nil)}"
        );
    }
}
