//! Who may do what: Argo CD's `policy.csv` (util/rbac, assets/model.conf). A subject has the rules that name it or a role that
//! it is bound to; it may do what one of them allows and none denies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::pattern::{MatchMode, Pattern};

/// A role is bound to roles at most so often in a row, as in the peer's role manager.
const DEEPEST: usize = 10;
/// Largest policy that is read, in bytes, and most lines of it.
const LARGEST: usize = 1024 * 1024;
const MOST_LINES: usize = 20_000;

/// What role:readonly looks at.
const LOOKED_AT: [&str; 9] =
    ["applications", "applicationsets", "projects", "repositories", "clusters", "accounts", "logs", "metrics", "edges"];

/// The role that may do everything.
pub const ADMIN: &str = "role:admin";
/// The role that may look at everything but the audit log.
pub const READONLY: &str = "role:readonly";

/// A policy.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    /// Which roles a user, group or role is bound to.
    bonds: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Clone)]
struct Rule {
    subject: String,
    resource: Pattern,
    action: Pattern,
    object: Pattern,
    effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

/// What a policy says of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A rule allows it, and none denies it.
    Allowed,
    /// A rule denies it.
    Denied,
    /// No rule is about it.
    Silent,
}

/// A line that is none of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPolicy {
    /// Counted from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for BadPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for BadPolicy {}

/// What somebody asks to do: `applications`, `sync`, `shop/web`.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The resource's word.
    pub resource: &'q str,
    /// The action.
    pub action: &'q str,
    /// The object: a project's name in front, where it belongs to one.
    pub object: &'q str,
}

impl Policy {
    /// The roles that are there from the beginning: one that may do everything, one that looks.
    pub fn built_in() -> Self {
        let rule = |subject: &str, resource: Pattern, action: Pattern| Rule {
            subject: subject.to_owned(),
            resource,
            action,
            object: Pattern::Any,
            effect: Effect::Allow,
        };
        let exact = |text: &str| Pattern::Exact(text.to_owned());
        let mut rules: Vec<Rule> =
            LOOKED_AT.into_iter().map(|resource| rule(READONLY, exact(resource), exact("get"))).collect();
        rules.push(rule(ADMIN, Pattern::Any, Pattern::Any));
        let bonds = BTreeMap::from([(ADMIN.to_owned(), BTreeSet::from([READONLY.to_owned()]))]);
        Policy { rules, bonds }
    }

    /// Reads the lines of a `policy.csv`.
    ///
    /// # Errors
    /// A line that is no rule; nothing of such a policy counts, because the line may have been a denial.
    pub fn parse(text: &str, mode: MatchMode) -> Result<Self, BadPolicy> {
        let mut policy = Policy::default();
        let lines = text.lines().count();
        if text.len() > LARGEST || lines > MOST_LINES {
            let why = format!("a policy has at most {MOST_LINES} lines and {LARGEST} bytes");
            return Err(BadPolicy { line: lines, why });
        }
        for (at, line) in text.lines().enumerate() {
            policy.take(line.trim(), mode).map_err(|why| BadPolicy { line: at + 1, why })?;
        }
        Ok(policy)
    }

    fn take(&mut self, line: &str, mode: MatchMode) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let fields = fields(line)?;
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        match fields.as_slice() {
            ["p", subject, resource, action, object, effect] => {
                let effect = match *effect {
                    "allow" => Effect::Allow,
                    "deny" => Effect::Deny,
                    other => return Err(format!("a rule ends with allow or deny, and not with `{other}`")),
                };
                if subject.is_empty() {
                    return Err("a rule is of a subject: p, SUBJECT, RESOURCE, ACTION, OBJECT, EFFECT".to_owned());
                }
                self.rules.push(Rule {
                    subject: (*subject).to_owned(),
                    resource: Pattern::parse(resource, mode)?,
                    action: Pattern::parse(action, mode)?,
                    object: Pattern::parse(object, mode)?,
                    effect,
                });
                Ok(())
            }
            ["g", subject, role] if !subject.is_empty() && !role.is_empty() => {
                self.bind(subject, role);
                Ok(())
            }
            ["g", ..] => Err("a bond is of a subject and a role: g, SUBJECT, ROLE".to_owned()),
            ["p", ..] => Err(format!(
                "a rule has six fields, p, SUBJECT, RESOURCE, ACTION, OBJECT, EFFECT, and here are {}",
                fields.len()
            )),
            [other, ..] => Err(format!("a line begins with p or g, and not with `{other}`")),
            [] => Ok(()),
        }
    }

    /// Binds somebody to a role.
    pub(crate) fn bind(&mut self, subject: &str, role: &str) {
        self.bonds.entry(subject.to_owned()).or_default().insert(role.to_owned());
    }

    /// Adds another one's rules and bonds.
    pub(crate) fn extend(&mut self, other: Policy) {
        self.rules.extend(other.rules);
        for (subject, roles) in other.bonds {
            self.bonds.entry(subject).or_default().extend(roles);
        }
    }

    /// Whether every rule is of one subject and about objects of one project: what a project may say of its own.
    pub(crate) fn is_within(&self, subject: &str, project: &str, lines: &str) -> bool {
        let only = |rule: &Rule| rule.subject == subject;
        let prefix = format!("{project}/");
        let objects = lines.lines().filter_map(|line| fields(line.trim()).ok()).filter(|it| it.len() == 6);
        self.rules.iter().all(only)
            && self.bonds.is_empty()
            && objects.into_iter().all(|it| it[4].starts_with(&prefix) || (it[2] == "projects" && it[4] == project))
    }

    /// Whether somebody is named on the left of a bond: groups of others count only then.
    pub(crate) fn binds(&self, subject: &str) -> bool {
        self.bonds.contains_key(subject)
    }

    /// Whom the policy speaks of, sorted.
    pub fn subjects(&self) -> BTreeSet<&str> {
        self.rules.iter().map(|rule| rule.subject.as_str()).chain(self.bonds.keys().map(String::as_str)).collect()
    }
}

/// What several policies together say of a subject.
pub(crate) fn weigh(policies: &[&Policy], subject: &str, question: &Question<'_>) -> Verdict {
    let roles = roles_of(policies, subject);
    let fits = |rule: &&Rule| {
        roles.contains(rule.subject.as_str())
            && rule.resource.fits(question.resource)
            && rule.action.fits(question.action)
            && rule.object.fits(question.object)
    };
    let mut verdict = Verdict::Silent;
    for rule in policies.iter().flat_map(|policy| &policy.rules).filter(fits) {
        match rule.effect {
            Effect::Deny => return Verdict::Denied,
            Effect::Allow => verdict = Verdict::Allowed,
        }
    }
    verdict
}

/// Whether a rule allows a subject an action on anything at all.
pub(crate) fn allows_somewhere(policies: &[&Policy], subject: &str, resource: &str, action: &str) -> bool {
    let roles = roles_of(policies, subject);
    policies.iter().flat_map(|policy| &policy.rules).any(|rule| {
        rule.effect == Effect::Allow
            && roles.contains(rule.subject.as_str())
            && rule.resource.fits(resource)
            && rule.action.fits(action)
    })
}

/// A subject and every role that it is bound to.
fn roles_of<'p>(policies: &[&'p Policy], subject: &'p str) -> BTreeSet<&'p str> {
    let mut found = BTreeSet::from([subject]);
    let mut next = VecDeque::from([(subject, 0)]);
    while let Some((one, depth)) = next.pop_front() {
        if depth == DEEPEST {
            continue;
        }
        let roles = policies.iter().filter_map(|policy| policy.bonds.get(one)).flatten();
        for role in roles {
            if found.insert(role) {
                next.push_back((role, depth + 1));
            }
        }
    }
    found
}

/// The fields of a line: apart by commas, white space around them left out, quoted where they hold one.
fn fields(line: &str) -> Result<Vec<String>, String> {
    let (mut found, mut rest) = (Vec::new(), line);
    loop {
        rest = rest.trim_start();
        let (field, behind) = match rest.strip_prefix('"') {
            None => {
                let (field, behind) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if field.contains('"') {
                    return Err("a quotation mark stands in the middle of a field".to_owned());
                }
                (field.trim().to_owned(), behind)
            }
            Some(mut inside) => {
                let mut field = String::new();
                loop {
                    let end = inside.find('"').ok_or("a quotation mark is not closed")?;
                    field.push_str(&inside[..end]);
                    inside = &inside[end + 1..];
                    match inside.strip_prefix('"') {
                        Some(more) => {
                            field.push('"');
                            inside = more;
                        }
                        None => break (field, inside.trim_start()),
                    }
                }
            }
        };
        found.push(field);
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None if behind.is_empty() => return Ok(found),
            None => return Err("something stands behind a quotation mark".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        Policy::parse(text, MatchMode::Glob).expect("a policy")
    }

    fn ask(policies: &[&Policy], subject: &str, asked: [&str; 3]) -> Verdict {
        weigh(policies, subject, &Question { resource: asked[0], action: asked[1], object: asked[2] })
    }

    #[test]
    fn a_denial_wins_whatever_allows_it_and_wherever_it_stands() {
        let policy = policy(
            "# who delivers\np, role:deployer, applications, *, */*, allow\n\
             p, role:deployer, applications, sync, sens-production/*, deny\ng, deploy, role:deployer\n",
        );
        let asked = |object| ask(&[&policy], "deploy", ["applications", "sync", object]);
        assert_eq!(asked("sens-test/sens-platform-test"), Verdict::Allowed);
        assert_eq!(asked("sens-production/sens-platform-production"), Verdict::Denied);
        assert_eq!(ask(&[&policy], "deploy", ["applications", "get", "sens-production/x"]), Verdict::Allowed);
        assert_eq!(ask(&[&policy], "somebody", ["applications", "get", "sens-test/x"]), Verdict::Silent);
    }

    #[test]
    fn roles_are_bound_to_roles_and_a_circle_ends() {
        let policy = policy("g, a, role:b\ng, role:b, role:c\ng, role:c, role:b\np, role:c, logs, get, */*, allow");
        assert_eq!(ask(&[&policy], "a", ["logs", "get", "x/y"]), Verdict::Allowed);
        let long: String = (0..30).map(|n| format!("g, role:{n}, role:{}\n", n + 1)).collect();
        let long = Policy::parse(&format!("{long}p, role:11, logs, get, *, allow"), MatchMode::Glob).expect("read");
        assert_eq!(ask(&[&long], "role:1", ["logs", "get", "x"]), Verdict::Allowed, "ten in a row");
        assert_eq!(ask(&[&long], "role:0", ["logs", "get", "x"]), Verdict::Silent, "eleven");
    }

    #[test]
    fn who_looks_changes_nothing_and_does_not_read_the_audit_log() {
        let policy = Policy::built_in();
        assert_eq!(ask(&[&policy], READONLY, ["applications", "get", "a/b"]), Verdict::Allowed);
        assert_eq!(ask(&[&policy], READONLY, ["logs", "get", "a/b"]), Verdict::Allowed);
        for asked in [["applications", "sync", "a/b"], ["exec", "create", "a/b"], ["audit", "get", "*"]] {
            assert_eq!(ask(&[&policy], READONLY, asked), Verdict::Silent, "{asked:?}");
            assert_eq!(ask(&[&policy], ADMIN, asked), Verdict::Allowed, "{asked:?}");
        }
        // The administrator is an account of our own that has the role, and nobody whose name is the same elsewhere.
        assert_eq!(ask(&[&policy], "admin", ["applications", "get", "a/b"]), Verdict::Silent);
    }

    #[test]
    fn a_line_that_is_no_rule_is_named() {
        for (text, line) in [
            ("p, a, b, c, d, allow\nq, a", 2),
            ("p, a, b, c, d", 1),
            ("p, a, b, c, d, permit", 1),
            ("g, a", 1),
            ("g, a, ", 1),
            ("p, a, [b, c, d, allow", 1),
            ("p, \"a, b", 1),
        ] {
            assert_eq!(Policy::parse(text, MatchMode::Glob).expect_err(text).line, line, "{text}");
        }
        let quoted = policy("p, \"a,\"\"b\", logs , get, \"*\" , allow");
        assert_eq!(ask(&[&quoted], "a,\"b", ["logs", "get", "x"]), Verdict::Allowed);
    }

    #[test]
    fn an_action_has_a_path() {
        let policy = policy("p, role:ops, applications, action/apps/Deployment/*, shop/*, allow");
        let asked = |action| ask(&[&policy], "role:ops", ["applications", action, "shop/web"]);
        assert_eq!(asked("action/apps/Deployment/restart"), Verdict::Allowed);
        assert_eq!(asked("action/apps/StatefulSet/restart"), Verdict::Silent);
    }

    #[test]
    fn a_project_speaks_of_its_own_alone() {
        let within = |text: &str| policy(text).is_within("proj:shop:ci", "shop", text);
        assert!(within("p, proj:shop:ci, applications, sync, shop/*, allow"));
        assert!(!within("p, proj:shop:ci, applications, sync, */*, allow"));
        assert!(!within("p, proj:shop:ci, applications, sync, shop-2/*, allow"));
        assert!(!within("p, role:admin, applications, sync, shop/*, allow"));
        assert!(!within("p, proj:shop:ci, applications, get, shop/*, allow\ng, ci, role:admin"));
    }
}
