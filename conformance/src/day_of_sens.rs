//! Days in the life of systems, unattended: the commands that a README names, one after the other, on the embedded cluster,
//! with a registry, a repository and a forge of their own on loopback.
//!
//! ```text
//! sens.rs   two repositories' worth of environments: versions, refusals, a promotion by pull request, late builds, a moved
//!           tag, a rollback, a hold, and what is written down of all that
//! town.rs   the registry and the forge (Gitea's API), and git over HTTP
//! ```

mod sens;
mod town;

use std::process::ExitCode;
use std::time::Instant;

use crate::evidence::CaseEvidence;
use crate::suite::{Asked, Material, Suite, Whole};

/// Plays days in the life of systems.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "day-of-sens",
        Material::Oracles,
        &[&["day-of-sens", "--selftest"], &["day-of-sens", "--evidence"]],
    ));

    fn run(&self) -> anyhow::Result<ExitCode> {
        let landfall = self.asked.landfall()?;
        if self.asked.selftest {
            let fault = sens::play(&landfall, sens::Ending::Planted)?.into_iter().find(|step| step.wrong.is_some());
            let seen = fault.and_then(|step| step.wrong).ok_or_else(|| "nothing was seen".to_owned());
            return Ok(crate::suite::selftest("day-of-sens", [("a promotion of another digest", seen)], ""));
        }
        let began = Instant::now();
        let steps = sens::play(&landfall, sens::Ending::AsItIs)?;
        for step in &steps {
            match &step.wrong {
                Some(why) => println!("FAILS {}: {why}", step.name),
                None => println!("ok    {} ({} ms)", step.name, step.milliseconds),
            }
        }
        let failed = steps.iter().filter(|step| step.wrong.is_some()).count();
        println!(
            "day-of-sens: {} planned, {} passed, {failed} failed, in {} s",
            sens::STEPS,
            steps.len() - failed,
            began.elapsed().as_secs()
        );
        let cases = steps
            .iter()
            .map(|step| CaseEvidence::judged(format!("days/sens/{}", step.name), &step.said, step.wrong.is_none()));
        self.asked.leave("day-of-sens", "requirements 5.3, step by step", cases.collect())?;
        let is_whole = steps.len() == sens::STEPS && failed == 0;
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A step of a day.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) wrong: Option<String>,
    /// What was said, for the evidence's hash.
    pub(crate) said: String,
    pub(crate) milliseconds: u128,
}
