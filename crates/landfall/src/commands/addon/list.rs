//! `landfall addon list`.

use std::time::Instant;

use landfall_delivery::{Addon, InstalledChart};
use landfall_host::{Failure, Hosting};
use landfall_project::AddonSpec;
use serde_json::{Value, json};

pub(super) use super::AddonListArgs;
use super::{catalogue, declared};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

impl Verb for AddonListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: AddonListArgs) -> Outcome {
    let started = Instant::now();
    let wanted = catalogue(&args.names)?;
    let place = context.host.cluster_place(None, &args.cluster.query()).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let installed =
        live::with_progress(context, &mut connection, started, |session| async move { session.addons().await }).await;
    connection.close().await;
    let installed = installed.map_err(Failure::from)?;
    let addons = wanted
        .iter()
        .map(|addon| Listed {
            addon,
            declared: declared(&place).iter().find(|spec| spec.name == addon.name),
            installed: addon.installed(&installed),
        })
        .collect();
    let report = Addons { cluster: &connection.name, environment: place.environment.as_deref(), addons };
    context.report(&report, Exit::Done, started);
    Ok(Exit::Done)
}

/// An addon, and where it stands.
struct Listed<'a> {
    addon: &'a Addon,
    declared: Option<&'a AddonSpec>,
    installed: Option<&'a InstalledChart>,
}

/// The addons there are.
struct Addons<'a> {
    cluster: &'a str,
    environment: Option<&'a str>,
    addons: Vec<Listed<'a>>,
}

impl Report for Addons<'_> {
    const KIND: &'static str = "Addons";

    fn data(&self) -> Value {
        let addons: Vec<Value> = self
            .addons
            .iter()
            .map(|it| {
                json!({
                    "name": it.addon.name,
                    "about": it.addon.about,
                    "repository": it.addon.repository,
                    "declared": it.declared,
                    "installed": it.installed,
                })
            })
            .collect();
        json!({"cluster": self.cluster, "environment": self.environment, "addons": addons})
    }

    fn text(&self, ui: &Ui) {
        let mut table = Table::new(["ADDON", "DECLARED", "INSTALLED", "NAMESPACE", "WHAT IT IS FOR"]);
        for it in &self.addons {
            let declared = it.declared.map_or("-".to_owned(), |spec| spec.version.clone().unwrap_or("any".to_owned()));
            let (version, namespace) = match it.installed {
                Some(one) if one.status == "deployed" => (one.version.clone(), one.namespace.clone()),
                Some(one) => (format!("{} ({})", one.version, one.status), one.namespace.clone()),
                None => ("-".to_owned(), "-".to_owned()),
            };
            table.row([it.addon.name.to_owned(), declared, version, namespace, it.addon.about.to_owned()]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.addons.iter().for_each(|it| ui.name(it.addon.name));
    }
}
