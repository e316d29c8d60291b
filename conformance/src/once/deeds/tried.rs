//! A trial whose namespace somebody else uses before it is taken back.

use std::sync::Arc;

use landfall_engine::{Desired, DesiredPhase, Fate, Item, Live, NoProbe, PhaseRuns, Probe, Task, plan};
use landfall_object::{Gvk, Object, ObjectKey};

use super::super::ground::{KillAt, Sequence, engine};
use super::{VALUES, secret};

/// A delivery that brings the sequence's namespace is tried, killed perhaps, tried again and refused; meanwhile a person has
/// put the Secret there.
pub(super) async fn tried(sequence: &mut Sequence<'_>) -> String {
    let namespace = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, &*sequence.namespace);
    if let Err(error) = sequence.delete_by_hand(&namespace).await {
        return format!("the namespace stays: {error}");
    }
    sequence.ground.settle();
    let item = |object| Item { wave: 0, task: Task::Ensure { object }, why: "once".to_owned() };
    let wanted = super::any_secret(sequence, false);
    let items = vec![item(Object::new(&namespace)), item(wanted)];
    let phases = vec![DesiredPhase { name: "one".to_owned(), runs: PhaseRuns::OnSuccess, items }];
    let desired =
        Desired { target: sequence.target(), kind: "once".to_owned(), phases, home: String::new(), timeout: 5 };
    let planned = match plan(&desired, &Live::default()) {
        Ok(planned) => planned,
        Err(error) => return format!("a trial is not planned: {error}"),
    };
    let probe = if sequence.dice.percent(50) { KillAt::new(1 + sequence.dice.below(8)) } else { KillAt::new(0) };
    let mut trial = sequence.conductor(Arc::clone(&probe) as Arc<dyn Probe>).try_out(&[&planned]).await;
    // A namespace that the trial has not come to make is a person's.
    let _there = sequence.ground.create(Object::new(&namespace).into_value()).await;
    if let Err(error) = sequence.ground.create(secret(&sequence.namespace, VALUES[0], true)).await {
        return format!("a trial's namespace takes no Secret: {error}");
    }
    sequence.keep().await;
    let quiet = || sequence.conductor(Arc::new(NoProbe));
    if trial.is_err() {
        trial = quiet().try_out(&[&planned]).await;
    }
    let killed = probe.killed().unwrap_or_else(|| "nowhere".to_owned());
    match trial {
        Err(error) => format!("a trial {}", engine(&error, probe.killed())),
        Ok(trial) => match quiet().conclude_trial(&trial, 0, Fate::TakenBack).await {
            Ok(concluded) => format!(
                "a trial, killed {killed}, is taken back: {} gone, {} left",
                concluded.gone.len(),
                concluded.left.len()
            ),
            Err(error) => format!("a trial is not concluded: {error}"),
        },
    }
}
