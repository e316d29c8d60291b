//! Attacks by strangers: what they wrote may be rendered and rehearsed, and can neither run a program, nor read what lies
//! outside, nor send a token anywhere, nor use up the machine.
//!
//! ```text
//! ground (a clone, a chart, an archive, servers on loopback; canaries and marker programs around it)
//!   ├─► attack ─► the binary, as a user would call it ─► judged by facts ─┐
//!   └─► its harmless twin ─► ends well and shows that the way is open  ───┴─► both held
//!
//! facts: no marker was written, no canary was said, written or received, nothing foreign was removed or changed,
//!        10 s and 512 MB were kept, and where a refusal is due it has its code and its words
//! ```
//!
//! An attack is data ([`scene::Scene`]); what makes, runs and judges it is the same for all. `--selftest` opens guards of
//! the binary one after another (`landfall_diag::is_mutant`), and shows that their attacks then succeed.

mod advisories;
mod api;
mod archive;
mod archives;
mod comments;
mod exhaustion;
mod ground;
mod judge;
mod leaks;
mod mutants;
mod programs;
mod promotions;
pub(crate) mod run;
mod scene;
mod sealed;
mod served;
pub(crate) mod server;
mod shop;
mod state;
mod systems;
mod trees;

use std::process::ExitCode;

use crate::evidence::CaseEvidence;
use crate::suite::{Asked, Material, Suite, Whole, Workers};
use crate::{sample, workers};
use scene::Scene;

/// Attacks the binary in the ways of strangers' repositories, charts, archives, registries and servers.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Print the ids and what each run said.
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    workers: Workers,
    /// Only so many attacks, drawn by the commit's hash; no evidence is written.
    #[arg(long)]
    sample: Option<usize>,
}

/// One attack in one shape, with the harmless twin that must succeed.
struct Attack {
    /// What it aims at: the file of this suite that holds it.
    area: &'static str,
    name: &'static str,
    shape: &'static str,
    attack: Scene,
    twin: Scene,
}

impl Attack {
    fn id(&self) -> String {
        format!("{}/{}/{}", self.area, self.name, self.shape)
    }
}

/// How both sides of an attack ended: what was wrong, in sentences.
struct Verdict {
    attack: Vec<String>,
    twin: Vec<String>,
}

/// A row of an area's table: name, shape, the attack and its twin.
type Pair = (&'static str, &'static str, Scene, Scene);

/// An area: the file of this suite that holds it, and the rows of its table.
type Area = (&'static str, fn() -> Vec<Pair>);

/// All attacks, in the order of their areas.
fn all() -> Vec<Attack> {
    let areas: [Area; 13] = [
        ("programs", programs::attacks),
        ("systems", systems::attacks),
        ("trees", trees::attacks),
        ("archives", archives::attacks),
        ("leaks", leaks::attacks),
        ("exhaustion", exhaustion::attacks),
        ("state", state::attacks),
        ("api", api::attacks),
        ("comments", comments::attacks),
        ("advisories", advisories::attacks),
        ("sealed", sealed::attacks),
        ("promotions", promotions::attacks),
        ("served", served::attacks),
    ];
    let of_area = |(area, attacks): Area| {
        attacks().into_iter().map(move |(name, shape, attack, twin)| Attack { area, name, shape, attack, twin })
    };
    areas.into_iter().flat_map(of_area).collect()
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("attack", Material::Oracles, &[&["attack", "--selftest"], &["attack", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = arguments.asked.landfall()?;
    let several = arguments.workers.count();
    let mut attacks = all();
    if arguments.asked.selftest {
        return mutants::run(&landfall, &attacks, several);
    }
    attacks.retain(|attack| arguments.asked.wants(&attack.id()));
    let attacks = sample::draw("attack", attacks, arguments.sample);
    let verdicts = workers::several(several, &attacks, |_, attack| {
        let side = |scene: &Scene| match judge::side(scene, &landfall, None) {
            Ok(played) => {
                if arguments.verbose {
                    println!("{}: {}", attack.id(), played.told);
                }
                played.wrong
            }
            Err(error) => vec![format!("{error:#}")],
        };
        let verdict = Verdict { attack: side(&attack.attack), twin: side(&attack.twin) };
        told(attack, &verdict);
        verdict
    });
    let held = verdicts.iter().filter(|verdict| verdict.attack.is_empty()).count();
    let succeeded = verdicts.iter().filter(|verdict| verdict.twin.is_empty()).count();
    let planned = attacks.len();
    println!("attack: {held} of {planned} attacks held, {succeeded} of {planned} twins succeeded");
    if arguments.sample.is_none() {
        let cases = attacks.iter().zip(&verdicts).map(|(attack, verdict)| {
            let passed = verdict.attack.is_empty() && verdict.twin.is_empty();
            CaseEvidence::judged(attack.id(), &format!("{:?} {:?}", attack.attack, attack.twin), passed)
        });
        arguments.asked.leave("attack", "facts on a ground of each attack's own", cases.collect())?;
    }
    Ok(if planned > 0 && held == planned && succeeded == planned { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what was wrong, if anything was.
fn told(attack: &Attack, verdict: &Verdict) {
    for (side, wrong) in [("attack", &verdict.attack), ("twin", &verdict.twin)] {
        for what in wrong {
            println!("FAILS {} ({side}): {what}", attack.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn no_two_attacks_have_one_id_and_each_of_them_expects_something_of_its_own() {
        let attacks = super::all();
        let ids: BTreeSet<String> = attacks.iter().map(super::Attack::id).collect();
        assert_eq!(ids.len(), attacks.len());
        assert!(attacks.len() >= 120, "{}", attacks.len());
        for attack in &attacks {
            assert!(attack.attack.expects_something(), "{}: nothing is asked of the attack", attack.id());
            assert!(attack.twin.shows_something(), "{}: its twin shows nothing", attack.id());
        }
    }
}
