//! `landfall plan`: what `up` would do, in which order and why.

pub(super) mod saved;

use std::time::Instant;

use clap::Args;
use landfall_delivery::{TargetKind, UnitPlan, UpOptions};
use landfall_host::{Connection, Failure, Hosting, Place};
use landfall_source::Revision;
use serde_json::{Value, json};

use self::saved::SavedPlan;
use crate::arguments::{OutputArgs, RenderedArgs, TargetArgs, ValuesArgs};
use crate::commands::up::{admitted, tell_beside};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::{Again, Changes, Report, heading};
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Arguments of `plan`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall plan\n  landfall plan --env prod --ref v1.4.0\n  landfall plan ./chart --set replicas=3 -o json\n  landfall plan --env prod --out ../release.plan    then: landfall apply ../release.plan"
)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Save the plan in a new file, for `landfall apply`; values of Secrets are not in it, those of `--set` are
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<String>,
    /// Exit 3 when something would change
    #[arg(long)]
    pub(crate) exit_code: bool,
}

impl Verb for PlanArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: PlanArgs) -> Outcome {
    let RenderedArgs { target, place, values } = &args.rendered;
    if let Some(file) = &args.out {
        SavedPlan::check(context, file, values)?;
    }
    let (place, connection, plans) = planned(context, target.as_deref(), place, values).await?;
    let revision = Some(place.target.source.revision());
    let changes = plans.iter().any(|plan| !plan.unchanged);
    let exit = if args.exit_code && changes { Exit::Differs } else { Exit::Done };
    if let Some(file) = &args.out {
        SavedPlan::of(&args.rendered, &place, &connection, &plans).await?.save(context, file)?;
    }
    context.answer(&Plans { place: &place, cluster: &connection.name, revision, plans: &plans }, exit);
    if let Some(file) = &args.out {
        let again = Again::of(context, None, None);
        context.ui.status(&format!(
            "saved in {file} · `{}` carries out this and nothing else",
            again.verb("apply", &[&saved::word(file)])
        ));
    }
    Ok(exit)
}

/// A target, where it goes, and what would be done there; nothing is started and nothing is changed.
pub(super) async fn planned(
    context: &Context,
    target: Option<&str>,
    args: &TargetArgs,
    values: &ValuesArgs,
) -> Result<(Place, Connection, Vec<UnitPlan>), Failure> {
    let started = Instant::now();
    let place = context.host.place(target, &args.query()).await?;
    let overrides = values.overrides(&context.host)?;
    let selection = args.selection(&context.host, &place)?;
    let namespace = context.host.default_namespace(&place);
    let candidates = place.target.units(&selection, &overrides, &namespace).await.map_err(Failure::from)?;
    tell_beside(context, &place)?;
    admitted::by_policy(&place, &candidates)?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let options = UpOptions { environment: place.environment.clone(), ..UpOptions::default() };
    let declared = place.declared();
    let plans = live::with_progress(context, &mut connection, started, |session| {
        let (candidates, options) = (&candidates, &options);
        async move { session.plan(candidates, declared, options).await }
    })
    .await;
    connection.close().await;
    Ok((place, connection, plans.map_err(Failure::from)?))
}

/// Plans; without a revision they lead back to an earlier one.
pub(super) struct Plans<'a> {
    pub(super) place: &'a Place,
    pub(super) cluster: &'a str,
    pub(super) revision: Option<&'a Revision>,
    pub(super) plans: &'a [UnitPlan],
}

impl Report for Plans<'_> {
    const KIND: &'static str = "Plan";

    fn data(&self) -> Value {
        json!({
            "revision": self.revision.map(ToString::to_string),
            "cluster": self.cluster,
            "environment": self.place.environment,
            "units": self.plans,
        })
    }

    fn text(&self, ui: &Ui) {
        self.plans.iter().for_each(|plan| self.unit(ui, plan));
        self.print_unheeded(ui);
    }

    fn names(&self, ui: &Ui) {
        self.plans.iter().for_each(|plan| ui.name(&format!("{}/{}", plan.namespace, plan.name)));
    }
}

impl Plans<'_> {
    fn print_unheeded(&self, ui: &Ui) {
        // Whoever goes back has not asked what a file says.
        if self.revision.is_none() {
            return;
        }
        for section in not_acted_on(self.place) {
            ui.folded(&ui.out_style(
                Style::Muted,
                &format!("  `{section}` is other commands' work: `landfall {section} check`"),
            ));
        }
    }

    fn unit(&self, ui: &Ui, plan: &UnitPlan) {
        let revision = self.revision.map_or_else(|| "earlier revision".to_owned(), Revision::short);
        let place = (self.cluster, plan.namespace.as_str());
        let (number, what) = if plan.unchanged { (0, "   no changes") } else { (plan.revision, "") };
        let digest = &plan.plan.digest[..12.min(plan.plan.digest.len())];
        ui.folded(&format!("{}{what}   plan {digest}", heading(ui, &plan.name, place, number, &revision)));
        let mut changes = Changes::new();
        let mut phase = ("", 0);
        for change in plan.changes.iter().filter(|_| !plan.unchanged) {
            if (change.phase.as_str(), change.wave) != phase {
                phase = (&change.phase, change.wave);
                let wave = if change.wave == 0 { String::new() } else { format!(", wave {}", change.wave) };
                changes.phase(ui, &format!("{}{wave}", change.phase));
            }
            changes.add(ui, change);
        }
        changes.unchanged(ui, plan.as_declared());
        changes.print(ui);
    }
}

fn not_acted_on(place: &Place) -> Vec<&'static str> {
    match &place.target.kind {
        TargetKind::System(file) => file.system.not_acted_on(place.environment.as_deref().unwrap_or_default()),
        _ => Vec::new(),
    }
}
