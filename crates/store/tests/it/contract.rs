//! What each small store promises, whatever keeps it.
//!
//! A promise is a function of a [`Pool`]; a back end is a constructor, and a line at the end. PostgreSQL is asked where
//! `LANDFALL_TEST_DATABASE` names a server on which databases may be made (`conformance database` starts one).

mod accounts;
mod audit;
mod cluster_state;
mod facts;
mod fleet;
mod history;
pub(crate) mod journal;
mod news;
mod orders;
mod promotions;
mod shards;
mod tokens;

use std::sync::atomic::{AtomicU32, Ordering};

use landfall_store::{Location, Pool};
use sqlx::Connection as _;
use tempfile::TempDir;

/// An empty database, and what goes with it.
pub(crate) struct Place {
    pub(crate) pool: Pool,
    /// Of a server's.
    pub(crate) address: Option<String>,
    _directory: Option<TempDir>,
}

async fn in_memory() -> Place {
    Place { pool: Pool::open(Location::Memory).await.expect("opens"), address: None, _directory: None }
}

async fn in_a_file() -> Place {
    let directory = tempfile::tempdir().expect("a directory");
    let location = Location::File(directory.path().join("store.db"));
    Place { pool: Pool::open(location).await.expect("opens"), address: None, _directory: Some(directory) }
}

/// A database of its own on a server of PostgreSQL.
pub(crate) async fn on_a_server() -> Place {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("LANDFALL_TEST_DATABASE").expect("LANDFALL_TEST_DATABASE names a server of PostgreSQL");
    let name = format!("contract_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let mut admin = sqlx::PgConnection::connect(&server).await.expect("the server answers");
    // In another order of letters than that of bytes, as many databases are made.
    let made = format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut admin).await.expect("made");
    let (front, _) = server.rsplit_once('/').expect("it names a database");
    let address = format!("{front}/{name}");
    let pool = Pool::open_database(&address.parse().expect("an address")).await.expect("opens");
    pool.seal_with(&[7; 32]).expect("a key");
    Place { pool, address: Some(address), _directory: None }
}

macro_rules! holds {
    ($open:path: $($store:ident::$promise:ident),+ $(,)?) => { $(
        #[tokio::test]
        async fn $promise() {
            super::$store::$promise(&$open().await.pool).await;
        }
    )+ };
    ($open:path, $ignored:literal: $($store:ident::$promise:ident),+ $(,)?) => { $(
        #[tokio::test]
        #[ignore = $ignored]
        async fn $promise() {
            super::$store::$promise(&$open().await.pool).await;
        }
    )+ };
}

macro_rules! everything_holds {
    ($open:path $(, $ignored:literal)?) => {
        holds!(
            $open $(, $ignored)?: journal::one_target_runs_one_operation_at_a_time,
            journal::what_undoes_begins_as_what_failed_ends,
            journal::an_outcome_without_an_intent_is_refused,
            journal::a_step_without_an_outcome_is_told_from_one_that_has_it,
            journal::what_has_ended_is_forgotten_and_that_it_was_is_kept,
            history::history_counts_within_its_target,
            facts::facts_are_replaced_and_removed,
            accounts::an_account_is_made_once_and_a_new_password_signs_everybody_out,
            accounts::tries_are_counted_one_by_one_and_forgotten_when_one_succeeds,
            accounts::a_session_is_there_until_it_ends,
            orders::an_order_is_open_until_it_is_done_and_a_policy_takes_the_place_of_the_one_before,
            tokens::a_token_is_issued_once_and_revoked_once,
            audit::an_entry_is_numbered_ends_once_and_stays,
            fleet::a_token_enrolls_as_often_as_it_says_and_a_taken_device_number_uses_none,
            fleet::of_a_hundred_parallel_enrollments_as_many_succeed_as_the_token_allows,
            fleet::enrollments_of_one_batch_are_each_decided_by_what_those_before_them_left,
            fleet::a_batch_of_enrollments_that_cannot_be_written_leaves_nothing_behind,
            fleet::a_credentials_prefix_is_never_taken_from_the_edge_that_it_finds,
            fleet::an_edge_that_may_enroll_once_more_keeps_its_number_and_loses_its_credentials,
            fleet::a_batch_of_the_fleet_is_written_whole_and_read_back,
            fleet::the_number_of_an_edge_that_is_gone_is_nobodys_again,
            fleet::presence_of_many_is_written_in_its_order_and_the_last_of_each_counts,
            news::a_change_is_taken_once_and_each_post_of_it_ends_once,
            promotions::se_33_a_tag_keeps_the_digest_that_it_had_first,
            promotions::evidence_is_only_added_to_and_read_in_its_order,
            promotions::se_94_a_version_is_held_until_it_is_released,
            promotions::a_promotion_has_a_chain_of_what_became_of_it,
            cluster_state::a_cluster_batch_is_written_whole_and_read_back,
            shards::whoever_takes_a_shard_shuts_everybody_else_out_of_its_journal,
            shards::an_epoch_is_behind_every_one_that_was_seen_anywhere,
            shards::another_number_of_shards_shuts_all_of_the_former_out,
        );
    };
}

mod memory {
    everything_holds!(super::in_memory);
}

mod file {
    everything_holds!(super::in_a_file);
}

mod postgres {
    everything_holds!(super::on_a_server, "needs a server of PostgreSQL: conformance database");
}
