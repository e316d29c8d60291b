//! `landfall rules`, and what `landfall explain RULE` prints.

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_rules::place::DOCTOR_RULES;
use landfall_rules::{RULES, Rule, rule};
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Table, Ui};
use crate::verb::{Verb, Waits};

/// Arguments of `rules`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RulesArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for RulesArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context)
    }
}

/// All rules by id, those of `doctor` among them.
fn all() -> Vec<&'static Rule> {
    let mut all: Vec<&Rule> = RULES.iter().chain(DOCTOR_RULES).copied().collect();
    all.sort_by_key(|rule| rule.id);
    all
}

fn run(context: &Context) -> Outcome {
    context.answer(&Rules(all()), Exit::Done);
    Ok(Exit::Done)
}

/// The rules.
struct Rules(Vec<&'static Rule>);

impl Report for Rules {
    const KIND: &'static str = "Rules";

    fn data(&self) -> Value {
        self.0.iter().map(|rule| document(rule)).collect()
    }

    fn text(&self, ui: &Ui) {
        let mut table = Table::new(["RULE", "LEVEL", "WHAT MUST BE SO"]);
        for rule in &self.0 {
            table.row([rule.id.to_owned(), rule.severity.word().to_owned(), rule.title.to_owned()]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|rule| ui.name(rule.id));
    }
}

/// Whether there is a rule of that id.
pub(crate) fn is_known(id: &str) -> bool {
    rule(id).is_some()
}

pub(crate) fn explain(context: &Context, id: &str) -> Outcome {
    let Some(rule) = rule(id) else {
        let mut diagnostic = Diagnostic::error(code::NO_SUCH_ID, format!("there is no rule `{id}`"));
        let wanted = id.to_uppercase();
        diagnostic = match landfall_diag::nearest(&wanted, all().iter().map(|rule| rule.id)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("`landfall rules` lists them"),
        };
        return Err(Failure::usage(diagnostic));
    };
    context.answer(&Explained(rule), Exit::Done);
    Ok(Exit::Done)
}

/// One rule.
struct Explained(&'static Rule);

impl Report for Explained {
    const KIND: &'static str = "Rule";

    fn data(&self) -> Value {
        document(self.0)
    }

    fn text(&self, ui: &Ui) {
        let rule = self.0;
        ui.folded(&format!("{}  {}  ({})", ui.out_style(Style::Strong, rule.id), rule.title, rule.severity.word()));
        ui.line("");
        ui.folded(rule.why);
        ui.line("");
        ui.folded(rule.advice);
        ui.line("");
        ui.line("To accept a finding for a while, in landfall.yaml:");
        ui.line("");
        ui.line(&format!("waivers:\n  - {{rule: {}, object: Kind/name, reason: why, until: YYYY-MM-DD}}", rule.id));
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.0.id);
    }
}

fn document(rule: &Rule) -> Value {
    json!({"id": rule.id, "title": rule.title, "severity": rule.severity, "why": rule.why, "advice": rule.advice})
}
