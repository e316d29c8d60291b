use landfall_store::{Error, Journal, NewOperation, OperationState, Pool, StepIntent, StepOutcome};
use serde_json::json;

pub(crate) fn operation(id: &str, target: &str) -> NewOperation {
    NewOperation {
        id: id.into(),
        target: target.into(),
        kind: "install".into(),
        plan: json!({"phases": []}),
        detail: json!({"n": 1}),
        started_at: "2026-01-01T00:00:00Z".into(),
    }
}

pub(crate) async fn one_target_runs_one_operation_at_a_time(pool: &Pool) {
    let journal = Journal::over(pool);
    journal.begin_operation(&operation("1", "x")).await.expect("begins");
    assert!(matches!(journal.begin_operation(&operation("2", "x")).await, Err(Error::Exists { .. })));
    journal.begin_operation(&operation("3", "y")).await.expect("another target");
    journal.finish_operation("1", OperationState::Done, "t").await.expect("finishes");
    journal.begin_operation(&operation("2", "x")).await.expect("is free again");
}

pub(crate) async fn what_undoes_begins_as_what_failed_ends(pool: &Pool) {
    let journal = Journal::over(pool);
    journal.begin_operation(&operation("1", "x")).await.expect("begins");
    journal.begin_undoing("1", &operation("2", "x")).await.expect("begins");
    let failed = journal.operation("1").await.expect("reads").expect("is kept");
    assert_eq!((failed.state, failed.plan), (OperationState::Failed, json!(null)));
    // Both or neither: an id that is taken, and an operation that is not there.
    assert!(matches!(journal.begin_undoing("2", &operation("1", "x")).await, Err(Error::Exists { .. })));
    assert!(matches!(journal.begin_undoing("3", &operation("4", "y")).await, Err(Error::Missing { .. })));
    let running = journal.running_operations().await.expect("reads");
    assert_eq!(running.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["2"]);
    assert_eq!(running[0].plan, json!({"phases": []}));
}

pub(crate) async fn an_outcome_without_an_intent_is_refused(pool: &Pool) {
    let journal = Journal::over(pool);
    journal.begin_operation(&operation("1", "x")).await.expect("begins");
    let outcome = StepOutcome { name: "0001".into(), body: json!(1) };
    assert!(matches!(journal.write_outcomes("1", &[outcome], "t").await, Err(Error::Missing { .. })));
}

pub(crate) async fn a_step_without_an_outcome_is_told_from_one_that_has_it(pool: &Pool) {
    let journal = Journal::over(pool);
    journal.begin_operation(&operation("1", "x")).await.expect("begins");
    let intents = ["0001", "0002"].map(|name| StepIntent { name: name.into(), body: json!({"do": name}) });
    journal.write_intents("1", &intents, "t").await.expect("writes");
    let outcome = StepOutcome { name: "0001".into(), body: json!("done") };
    journal.write_outcomes("1", &[outcome], "t").await.expect("writes");
    // Written again, as a resume does, an intent stays as it was.
    let again = StepIntent { name: "0002".into(), body: json!("another") };
    journal.write_intents("1", &[again], "t").await.expect("writes");
    let steps = journal.steps("1").await.expect("reads");
    assert_eq!(steps[0].outcome, Some(json!("done")));
    assert_eq!((&steps[1].intent, &steps[1].outcome), (&json!({"do": "0002"}), &None));
}

pub(crate) async fn what_has_ended_is_forgotten_and_that_it_was_is_kept(pool: &Pool) {
    let journal = Journal::over(pool);
    journal.begin_operation(&operation("1", "x")).await.expect("begins");
    let intent = StepIntent { name: "0001".into(), body: json!(1) };
    journal.write_intents("1", &[intent], "t").await.expect("writes");
    journal.finish_operation("1", OperationState::Failed, "t").await.expect("finishes");
    assert!(journal.running_operations().await.expect("reads").is_empty());
    let row = journal.operation("1").await.expect("reads").expect("is kept");
    assert_eq!((row.plan, row.detail, row.state), (json!(null), json!(null), OperationState::Failed));
    assert!(journal.steps("1").await.expect("reads").is_empty());
}
