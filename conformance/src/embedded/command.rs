//! `conformance embedded`: one by hand, for kubectl and scripts.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Embedded, Shape};
use crate::suite::Suite;

/// Serves the embedded cluster until standard input ends.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to listen; a free port when not said.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where to write the kubeconfig.
    #[arg(long)]
    kubeconfig: PathBuf,
    /// The API alone, without controllers, scheduler and kubelet.
    #[arg(long)]
    api_only: bool,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let shape = if arguments.api_only { Shape::ApiOnly } else { Shape::Whole };
    let embedded = Embedded::start(shape, arguments.port)?;
    std::fs::write(&arguments.kubeconfig, embedded.kubeconfig())?;
    println!("serving {}; KUBECONFIG={}", embedded.endpoint().url, arguments.kubeconfig.display());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(ExitCode::SUCCESS)
}
