//! `landfall addon list`.

use std::time::Instant;

use landfall_delivery::Addon;
use landfall_host::{Failure, Hosting};
use serde_json::{Value, json};

pub(super) use super::AddonListArgs;
use super::{catalogue, declared};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report;
use crate::ui::{Output, Table};
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
    let place = context.host.cluster_place(&args.cluster.query())?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let installed =
        live::with_progress(context, &mut connection, started, |session| async move { session.addons().await }).await;
    connection.close().await;
    let installed = installed.map_err(Failure::from)?;
    let declared = |addon: &Addon| declared(&place).iter().find(|spec| spec.name == addon.name).cloned();
    let ui = &context.ui;
    match ui.output {
        Output::Json | Output::Yaml => {
            let addons: Vec<Value> = wanted
                .iter()
                .map(|addon| {
                    json!({
                        "name": addon.name,
                        "about": addon.about,
                        "repository": addon.repository,
                        "declared": declared(addon),
                        "installed": addon.installed(&installed),
                    })
                })
                .collect();
            let data = json!({"cluster": connection.name, "environment": place.environment, "addons": addons});
            ui.document(&report::envelope("Addons", Exit::Done, data, started));
        }
        Output::Name => wanted.iter().for_each(|addon| ui.line(addon.name)),
        Output::Table => {
            let mut table = Table::new(["ADDON", "DECLARED", "INSTALLED", "NAMESPACE", "WHAT IT IS FOR"]);
            for addon in &wanted {
                let declared = declared(addon).map_or("-".to_owned(), |spec| spec.version.unwrap_or("any".to_owned()));
                let (version, namespace) = match addon.installed(&installed) {
                    Some(one) if one.status == "deployed" => (one.version.clone(), one.namespace.clone()),
                    Some(one) => (format!("{} ({})", one.version, one.status), one.namespace.clone()),
                    None => ("-".to_owned(), "-".to_owned()),
                };
                table.row([addon.name.to_owned(), declared, version, namespace, addon.about.to_owned()]);
            }
            ui.table(&table);
        }
    }
    Ok(Exit::Done)
}
