//! `landfall access prove`.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::{ArgGroup, Args};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Connection, Failure, Place};
use landfall_server::access::{Cell, ServiceAccount};
use landfall_server::accounts::Subject;
use serde_json::{Value, json};

use super::{connected, ground};
use crate::arguments::{ClusterArgs, OutputArgs};
use crate::commands::store::{has_store, store};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// The namespace that Applications live in.
const HOME: &str = "argocd";

/// Arguments of `access prove`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("identity").required(true).multiple(true).args(["subject", "service_account"]))]
pub(crate) struct AccessProveArgs {
    /// A user, a role or a project's role, as the policy speaks of it; an account or a token of here has its own roles besides
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) subject: Option<String>,
    /// A role that it has beside what the policy says; may stand several times
    #[arg(long, value_name = "ROLE", requires = "subject")]
    pub(crate) role: Vec<String>,
    /// A group that it is in; may stand several times
    #[arg(long, value_name = "GROUP", requires = "subject")]
    pub(crate) group: Vec<String>,
    /// A service account of the cluster, NAMESPACE/NAME
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) service_account: Option<ServiceAccount>,
    /// A project that it must not change (default: the protected ones)
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Vec<String>,
    /// A policy.csv instead of that of the server which runs here, or the cluster's argocd-rbac-cm
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AccessProveArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let (place, mut connection) = connected(context, &self.cluster).await?;
        let proof = proof(context, &self, (&place, &connection)).await;
        connection.close().await;
        let proof = proof?;
        let allowed = proof.cells.iter().filter(|cell| cell.allowed).count();
        let exit = if allowed > 0 { Exit::Refused } else { Exit::Done };
        context.report(&proof, exit, started);
        if allowed > 0 {
            let text = format!("{} may do {allowed} of {} things that it must not", proof.who, proof.cells.len());
            let diagnostic = Diagnostic::refused(code::TOO_MUCH_ACCESS, text);
            context.ui.diagnostic(
                &diagnostic.help("take the lines of the policy, or the bindings of roles, away that allow it"),
            );
        }
        Ok(exit)
    }
}

async fn proof(
    context: &Context,
    args: &AccessProveArgs,
    (place, connection): (&Place, &Connection),
) -> Result<Proof, Failure> {
    let ground = ground(context, (place, connection), args.policy.as_deref()).await?;
    let projects: BTreeSet<String> = match args.project.as_slice() {
        [] => ground.protected().map(str::to_owned).collect(),
        named => named.iter().cloned().collect(),
    };
    if let Some(unknown) = projects.iter().find(|name| !ground.projects.contains(*name)) {
        let diagnostic = Diagnostic::error(code::BAD_ARGUMENTS, format!("there is no project `{unknown}`"));
        return Err(Failure::usage(diagnostic.listing("there are", ground.projects.iter())));
    }
    if projects.is_empty() {
        let text = "no project is protected, and none is named: there is nothing to prove";
        return Err(Failure::usage(
            Diagnostic::error(code::BAD_ARGUMENTS, text)
                .help("kubectl annotate appproject NAME -n argocd landfall.dev/protected=true")
                .help("or name it: --project NAME"),
        ));
    }
    let (mut cells, mut notes) = (Vec::new(), Vec::new());
    if let Some(name) = &args.subject {
        let (is_account, given) = of_store(context, place, name).await?;
        let mut roles = args.role.clone();
        roles.extend(given.iter().filter(|role| !args.role.contains(role)).cloned());
        if !given.is_empty() {
            notes.push(format!("{name} has {} by its account or token here", given.join(", ")));
        }
        let subject = Subject { name: name.clone(), roles, groups: args.group.clone() };
        cells.extend(ground.weigh(&subject, &projects));
        if !is_account && !ground.standing.subjects().contains(name.as_str()) {
            notes.push(format!("the policy does not speak of {name}: what everybody may is what it may"));
        }
    }
    let mut namespaces: BTreeSet<String> =
        projects.iter().flat_map(|project| ground.namespaces(project)).map(str::to_owned).collect();
    namespaces.extend(args.cluster.namespace.clone().map(String::from));
    if let Some(account) = &args.service_account {
        if namespaces.is_empty() {
            let text = "no Application of these projects delivers to a namespace of this cluster";
            return Err(Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text).help("name it: -n NAMESPACE")));
        }
        let namespaces: Vec<String> = namespaces.iter().cloned().collect();
        cells.extend(account.asked(&connection.cluster, &namespaces, HOME).await?);
    }
    let who = [args.subject.clone(), args.service_account.as_ref().map(ToString::to_string)];
    let who: Vec<String> = who.into_iter().flatten().collect();
    Ok(Proof { who: who.join(" and "), projects, cells, notes })
}

/// Whether an account or a token has this name, and which roles it was given: what the policy does not speak of counts as well.
async fn of_store(context: &Context, place: &Place, name: &str) -> Result<(bool, Vec<String>), Failure> {
    if !has_store(context, &place.state) {
        return Ok((false, Vec::new()));
    }
    let store = store(context, &place.state).await?;
    let (accounts, tokens) = (store.accounts.all().await, store.tokens.all().await);
    store.close().await;
    let told = |error: landfall_store::Error| Failure::from(error.diagnose());
    let accounts = accounts.map_err(told)?.into_iter().filter(|row| row.name == name && row.disabled_at.is_none());
    let tokens = tokens.map_err(told)?.into_iter().filter(|row| row.name == name && row.revoked_at.is_none());
    let known: Vec<Vec<String>> = accounts.map(|row| row.roles).chain(tokens.map(|row| vec![row.role])).collect();
    let is_known = !known.is_empty();
    let roles: BTreeSet<String> = known.into_iter().flatten().filter(|role| !role.is_empty()).collect();
    Ok((is_known, roles.into_iter().collect()))
}

/// What was asked, and how it was answered.
struct Proof {
    who: String,
    projects: BTreeSet<String>,
    cells: Vec<Cell>,
    notes: Vec<String>,
}

impl Report for Proof {
    const KIND: &'static str = "AccessProof";

    fn data(&self) -> Value {
        let cell =
            |cell: &Cell| json!({"asked": cell.asked, "what": cell.what, "on": cell.on, "allowed": cell.allowed});
        json!({
            "who": self.who, "projects": self.projects, "asked": self.cells.len(),
            "allowed": self.cells.iter().filter(|cell| cell.allowed).count(),
            "cells": self.cells.iter().map(cell).collect::<Vec<_>>(), "notes": self.notes,
        })
    }

    fn names(&self, ui: &Ui) {
        self.cells.iter().filter(|cell| cell.allowed).for_each(|cell| ui.name(&format!("{} {}", cell.what, cell.on)));
    }

    fn text(&self, ui: &Ui) {
        let projects: Vec<&str> = self.projects.iter().map(String::as_str).collect();
        let allowed: Vec<&Cell> = self.cells.iter().filter(|cell| cell.allowed).collect();
        let mut table = Table::new(["ASKED", "MAY", "ON"]);
        for cell in &allowed {
            table.row([cell.asked.to_owned(), cell.what.clone(), cell.on.clone()]);
        }
        ui.table(&table);
        for asked in ["policy", "cluster", "tried"] {
            let of = self.cells.iter().filter(|cell| cell.asked == asked);
            let (all, may) = of.fold((0, 0), |(all, may), cell| (all + 1, may + usize::from(cell.allowed)));
            if all > 0 {
                ui.line(&format!("{asked}: {all} asked, {may} allowed"));
            }
        }
        self.notes.iter().for_each(|note| ui.status(note));
        let verdict = if allowed.is_empty() { "cannot change" } else { "can change" };
        ui.line(&format!("{} {verdict} {}", self.who, projects.join(", ")));
        ui.status("with root on the server, or the rights of the cluster's administrator, there is no guarantee");
    }
}
