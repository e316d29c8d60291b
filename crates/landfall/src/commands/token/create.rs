//! `landfall token create`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::Failure;
use landfall_project::Span;
use landfall_server::{ALL_PROJECTS, Paths, Scope, Token};
use landfall_store::TokenRow;
use serde_json::{Value, json};

use super::super::store::{audited, now, person, state, store};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `token create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TokenCreateArgs {
    /// What it is called: what is done with it is done by that name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is for: `read`, `sync`; neither holds the other one (default: `read`, with a role both)
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    pub(crate) scope: Vec<Scope>,
    /// Whose rights it has by the policy, `role:deployer` or a project's `proj:shop:ci`, within scopes and projects
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub(crate) role: Option<String>,
    /// The projects whose Applications it sees, `*` for any text (default: all)
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Vec<String>,
    /// What Applications that it changes may read of their repositories: `envs/test` and what is below it, `*`, `**`; not what one
    /// with `!` fits (default: anything)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) path: Vec<String>,
    /// How long it is good, as `90d` (default: until it is revoked)
    #[arg(long, value_name = "DURATION")]
    pub(crate) expires: Option<Span>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn scope(word: &str) -> Result<Scope, String> {
    let known = Scope::ALL.map(Scope::word).join(", ");
    Scope::parse(word).ok_or_else(|| format!("scopes are {known}"))
}

fn role(text: &str) -> Result<String, String> {
    // The break-glass account signs in, and is heard; nothing that a machine holds is as good as it.
    if text == "role:admin" {
        return Err("role:admin is for people who sign in: give the token a role of its own".to_owned());
    }
    let whole = match text.split(':').collect::<Vec<_>>().as_slice() {
        ["role", name] => !name.is_empty(),
        ["proj", project, name] => !project.is_empty() && !name.is_empty(),
        _ => false,
    };
    if whole { Ok(text.to_owned()) } else { Err("roles are role:NAME and proj:PROJECT:NAME".to_owned()) }
}

impl Verb for TokenCreateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 64
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
        };
        if !is_name(&self.name) {
            let text = format!("a token cannot be called `{}`", self.name);
            let diagnostic = Diagnostic::error(code::BAD_ARGUMENTS, text);
            return Err(Failure::usage(diagnostic.help("letters, digits and -_.@, at most 64 of them")));
        }
        if let Err(bad) = Paths::parse(&self.path) {
            let text = format!("`{}` does not bound a token: {bad}", self.path.join(" "));
            return Err(Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text)));
        }
        let token = Token::random()?;
        let at = now();
        let expires = match &self.expires {
            None => None,
            Some(span) => Some(at.checked_add(span.duration()).map_err(|_| {
                Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, "no calendar goes as far as that token would"))
            })?),
        };
        let usual: &[Scope] = if self.role.is_some() { &Scope::ALL } else { &[Scope::Read] };
        let wanted = if self.scope.is_empty() { usual } else { &self.scope };
        let mut scopes: Vec<String> = wanted.iter().map(|scope| scope.word().to_owned()).collect();
        scopes.sort();
        scopes.dedup();
        let projects = if self.project.is_empty() { vec![ALL_PROJECTS.to_owned()] } else { self.project.clone() };
        let row = TokenRow {
            id: token.id().to_owned(),
            name: self.name.clone(),
            digest: token.digest(),
            scopes,
            projects,
            paths: self.path.clone(),
            role: self.role.clone().unwrap_or_default(),
            issued_at: at.to_string(),
            issued_by: person(context),
            expires_at: expires.map(|at| at.to_string()),
            revoked_at: None,
            used_at: None,
        };
        let store = store(context, &state(context)?).await?;
        let issued = async {
            let detail = json!({
                "scopes": row.scopes, "projects": row.projects, "paths": row.paths, "role": row.role, "expires_at": row.expires_at,
            });
            let entry = audited(context, &store, "token.issue", &format!("{} ({})", row.name, row.id), detail).await?;
            store.tokens.issue(&row).await.map_err(|error| Failure::from(error.diagnose()))?;
            store.audit.end(entry, "done").await.map_err(|error| Failure::from(error.diagnose()))
        };
        let issued = issued.await;
        store.close().await;
        issued?;
        context.report(&Issued { row: &row, token: &token }, Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// A token that was issued.
struct Issued<'a> {
    row: &'a TokenRow,
    token: &'a Token,
}

impl Report for Issued<'_> {
    const KIND: &'static str = "Token";

    fn data(&self) -> Value {
        let mut data = super::list::data(self.row);
        data["token"] = json!(self.token.revealed());
        data
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.token.revealed());
    }

    fn text(&self, ui: &Ui) {
        // The token alone on standard output, so that it can be written into a file.
        ui.name(&self.token.revealed());
        let TokenRow { name, id, scopes, projects, paths, role, .. } = self.row;
        let of_role = if role.is_empty() { String::new() } else { format!(" as {role}") };
        let of_paths = if paths.is_empty() { String::new() } else { format!(", paths {}", paths.join(", ")) };
        ui.status(&format!(
            "token {name} ({id}){of_role}: {} of projects {}{of_paths}",
            scopes.join(", "),
            projects.join(", ")
        ));
        ui.status("it is shown this once; landfall token revoke takes it back");
    }
}
