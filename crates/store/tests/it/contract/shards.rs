use landfall_store::{Error, Journal, OperationState, Pool, Shards, StepIntent, StepOutcome};
use serde_json::json;

use super::journal::operation;

pub(crate) async fn whoever_takes_a_shard_shuts_everybody_else_out_of_its_journal(pool: &Pool) {
    let shards = Shards::over(pool);
    let first = shards.take((0, 2), "a", 0).await.expect("taken");
    assert!(shards.holds(&first).await.expect("looks"));
    let journal = Journal::over(pool).fenced(first.clone());
    journal.begin_operation(&operation("1", "x")).await.expect("begins");
    let intent = StepIntent { name: "0001".into(), body: json!({"do": 1}) };
    journal.write_intents("1", std::slice::from_ref(&intent), "t").await.expect("writes");
    let second = shards.take((0, 2), "b", 0).await.expect("taken over");
    assert!(second.epoch > first.epoch && second.holder == "b");
    assert!(!shards.holds(&first).await.expect("looks"));
    let is_fenced = |result: Result<(), Error>| matches!(result, Err(Error::Fenced { shard: 0, .. }));
    let outcome = StepOutcome { name: "0001".into(), body: json!(1) };
    assert!(is_fenced(journal.begin_operation(&operation("2", "y")).await));
    assert!(is_fenced(journal.begin_undoing("1", &operation("2", "x")).await));
    assert!(is_fenced(journal.write_intents("1", &[StepIntent { name: "0002".into(), ..intent }], "t").await));
    assert!(is_fenced(journal.write_outcomes("1", std::slice::from_ref(&outcome), "t").await));
    assert!(is_fenced(journal.finish_operation("1", OperationState::Done, "t").await));
    // Whoever has taken it finds it as it was, and goes on.
    let next = Journal::over(pool).fenced(second);
    assert_eq!(next.steps("1").await.expect("reads").len(), 1);
    next.write_outcomes("1", &[outcome], "t").await.expect("goes on");
    next.finish_operation("1", OperationState::Done, "t").await.expect("finishes");
    // Another shard is another matter.
    let other = shards.take((1, 2), "a", 0).await.expect("taken");
    Journal::over(pool).fenced(other).begin_operation(&operation("3", "z")).await.expect("begins");
}

pub(crate) async fn an_epoch_is_behind_every_one_that_was_seen_anywhere(pool: &Pool) {
    let shards = Shards::over(pool);
    // As after a database was lost: its lease remembers.
    assert_eq!(shards.take((3, 4), "a", 41).await.expect("taken").epoch, 42);
    assert_eq!(shards.take((3, 4), "a", 0).await.expect("taken").epoch, 43);
    assert_eq!(shards.take((3, 4), "b", 43).await.expect("taken").epoch, 44);
}

pub(crate) async fn another_number_of_shards_shuts_all_of_the_former_out(pool: &Pool) {
    let shards = Shards::over(pool);
    let former = shards.take((1, 3), "a", 0).await.expect("taken");
    let other = shards.take((0, 4), "b", 0).await.expect("taken");
    assert!(!shards.holds(&former).await.expect("looks"), "two numbers place Applications differently");
    assert!(shards.holds(&other).await.expect("looks"));
}
