//! `schema`, `completion`, `version`.

use crate::cli::{Cli, VersionArgs};
use crate::context::Context;
use crate::env::KNOWN;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Table;

pub(crate) fn schema(context: &Context) -> Outcome {
    context.ui.document(&landfall_project::json_schema());
    Ok(Exit::Done)
}

pub(crate) fn completion(context: &Context, shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::whole(), "landfall", &mut script);
    context.ui.bytes(&script);
    Ok(Exit::Done)
}

pub(crate) fn version(context: &Context, args: &VersionArgs) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    if args.env {
        let mut table = Table::new(["VARIABLE", "MEANING", "NOW"]);
        for (name, meaning) in KNOWN {
            table.row([(*name).to_owned(), (*meaning).to_owned(), context.env.get(name).unwrap_or("-").to_owned()]);
        }
        context.ui.table(&table);
    } else if args.short {
        context.ui.line(version);
    } else {
        context.ui.line(&format!("landfall {version} ({} {})", std::env::consts::OS, std::env::consts::ARCH));
        context.ui.line("kubernetes API of the embedded cluster: v1.36.3");
    }
    Ok(Exit::Done)
}
