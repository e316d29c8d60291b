//! The stock kubeseal and ours at the built-in controller of SealedSecrets: every scope, both ways, and each verb that asks the
//! controller (`conformance/sealing`). The original controller is [`crate::controllers`]' matter.

use std::process::ExitCode;

use crate::evidence::Cluster;
use crate::once::paths::{Played, played};
use crate::suite::{Material, Suite, Whole, root};

/// Seals with the one and opens with the other, at the embedded cluster's controller.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write docs/evidence/sealing.json.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("sealing", Material::Oracles, &[&["sealing", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        let oracle = crate::peers::versions("kubeseal")?;
        let folder = root().join("conformance/sealing");
        let play =
            Played { suite: "sealing", steps: &folder.join("sealing.steps"), files: &folder.join("files"), oracle };
        played(&play, Cluster::Embedded, self.evidence)
    }
}
