//! The rules, one file each, named by what is wrong.
//!
//! A new one: `catalogue/what_is_wrong.rs` with `pub(super) static RULE`, a `mod` line and an entry here, a fixture
//! `crates/rehearse/tests/fixtures/LFNNN-name.fixture` (its form stands in `tests/it/fixture.rs` there), and `docs/rules.md`
//! written anew (`LANDFALL_BLESS=1 cargo test -p landfall-rules reference`). The fixture is mutated by itself; run one with
//! `FIXTURE=LFNNN cargo test -p landfall-rehearse fixtures`.

mod account_unlike_its_siblings;
mod address_of_another_server;
mod address_routed_twice;
mod address_told_to_others;
mod alive_when_ready;
mod annotation_beside_its_pods;
mod answered_by_another;
mod application_of_another_repository;
mod argument_of_several;
mod asked_beside_its_path;
mod autoscaler_without_request;
mod autoscaler_without_target;
mod baked_into_image;
mod binding_of_another_account;
mod blanks_between;
mod brace_left_behind;
mod branch_for_a_gone_version;
mod branch_never_taken;
mod break_in_quoted_text;
mod built_from_write_back;
mod call_cut_by_policy;
mod call_to_a_desk;
mod certificate_with_two_owners;
mod chart_yaml_key;
mod claim_in_earlier_wave;
mod claim_that_is_not_mounted;
mod class_in_template;
mod command_that_is_no_program;
mod condition_with_a_constant;
mod constant_for_its_value;
mod container_named_by_annotation;
mod creation_bound_to_names;
mod credential_in_config_map;
mod cut_off_from_names;
mod dangling_reference;
mod data_deleted_by_omission;
mod data_left_behind;
mod data_of_another_user;
mod database_at_rest;
mod dead_route;
mod declared_of_nobody;
mod default_never_taken;
mod default_taken_by_null;
mod development_default;
mod disagreeing_lists;
mod domain_bound_to_tls;
mod drifted_copy;
mod encoded_twice;
mod exposed_internal;
mod field_of_its_neighbour;
mod field_that_helm_has_not;
mod fields_that_exclude;
mod file_that_is_not_mounted;
mod forbidden_component;
mod foreign_object;
mod forgotten_pull_secret;
mod global_left_out;
mod grace_too_short;
mod half_of_a_pair;
mod heap_above_limit;
mod hidden_and_written;
mod hook_in_both_phases;
mod hook_that_stays;
mod host_network_without_names;
mod host_that_is_no_service;
mod host_without_certificate;
mod image_of_one_architecture;
mod image_without_its_maker;
mod immutable_field;
mod impossible_check;
mod impossible_quantity;
mod insufficient_nodes;
mod invalid_manifest;
mod item_of_another_list;
mod jobs_cut_off;
mod key_that_is_no_variable;
mod key_that_nobody_reads;
mod key_twice_in_values;
mod known_name_misspelt;
mod kubernetes_that_is_refused;
mod label_misspelt;
mod label_of_a_controller;
mod lines_run_together;
mod lookup_without_cluster;
mod lookup_without_data;
mod manifest_among_definitions;
mod measured_at_another_port;
mod message_of_no_value;
mod migration_on_the_first_day;
mod migration_without_its_secret;
mod missing_port;
mod missing_prerequisite;
mod missing_probe_port;
mod missing_variable;
mod monitor_that_finds_nothing;
mod mount_below_a_mount;
mod moving_tag;
mod name_alike_in_loop;
mod name_counting_revisions;
mod name_of_every_namespace;
mod name_of_every_release;
mod name_of_hook_and_manifest;
mod namespace_in_template;
mod namespace_unlike_its_siblings;
mod node_directory;
mod node_path_mounted;
mod nondeterministic_render;
mod not_let_in;
mod nothing_may_be_evicted;
mod number_that_is_none;
mod number_written_otherwise;
mod open_to_anybody;
mod option_of_another_setting;
mod outdated_document;
mod overdue_rotation;
mod overlapping_singleton;
mod password_on_command_line;
mod path_taken_by_the_letter;
mod pipeline_of_a_collector;
mod placed_unlike_its_siblings;
mod plain_address_over_tls;
mod pods_without_names;
mod policy_for_other_ports;
mod port_named_twice;
mod port_that_nobody_opens;
mod prefix_unlike_its_siblings;
mod printed_where_it_is_known;
mod probe_of_another_scheme;
mod probe_without_its_key;
mod regenerated_key;
mod registry_in_front_of_another;
mod registry_unlike_its_siblings;
mod replicas_beside_autoscaler;
mod resource_name_of_nothing;
mod resource_named_otherwise;
mod right_that_a_script_lacks;
mod right_to_nothing;
mod rights_left_behind;
mod rollout_that_stands_still;
mod run_that_cannot_begin;
mod schedule_that_never_fires;
mod scratch_unlike_its_siblings;
mod sealed_for_another;
mod secret_handed_over;
mod secret_in_git;
mod secret_named_otherwise;
mod secret_of_the_first_day;
mod secret_that_nobody_reads;
mod selector_hitting_nothing;
mod selector_taking_others;
mod server_of_another_major;
mod service_gone_from_its_pods;
mod service_named_in_full;
mod setting_that_breaks;
mod settings_of_another_item;
mod shared_names;
mod slip_in_json;
mod slip_in_script;
mod slip_in_sql;
mod switch_left_out;
mod switch_of_a_part;
mod switch_that_is_always_on;
mod table_out_of_its_column;
mod template_named_in_a_text;
mod test_that_is_no_hook;
mod text_not_of_its_grammar;
mod text_written_as_yaml;
mod too_little_time_to_start;
mod too_many_connections;
mod typographic_mark;
mod unagreed_host;
mod undeliverable;
mod unkept_data;
mod unknown_annotation;
mod unreadable_contents;
mod unseen_files;
mod unseen_settings;
mod value_of_the_other_table;
mod value_printed_raw;
mod value_that_nobody_reads;
mod value_that_prints_nothing;
mod values_changed_by_a_template;
mod variable_for_nothing;
mod variable_from_missing_one;
mod variable_in_another_form;
mod variable_that_a_file_asks_for;
mod version_in_selector;
mod version_of_a_provider;
mod waits_for_what_comes_later;
mod web_socket_cut_off;
mod webhook_unlike_its_siblings;
mod widened_rights;
mod word_out_of_place;
mod word_taken_for_a_switch;
mod written_to_what_is_read_only;

pub use development_default::{is_credential, is_placeholder, password_in};
pub use unkept_data::unkept_servers;
pub use value_that_prints_nothing::{compared, printed_of_items};

use crate::rule::Rule;

/// All rules, by id.
pub static RULES: &[&Rule] = &[
    &undeliverable::RULE,                     // would not deliver
    &nondeterministic_render::RULE,           // render not deterministic
    &lookup_without_cluster::RULE,            // looked up where there is no cluster
    &dangling_reference::RULE,                // a reference that resolves nowhere
    &missing_variable::RULE,                  // a variable that is missed when it is used
    &dead_route::RULE,                        // a route that leads nowhere
    &missing_port::RULE,                      // a port that the Service does not have
    &call_cut_by_policy::RULE,                // a call that a policy cuts off
    &waits_for_what_comes_later::RULE,        // waiting for what comes later
    &claim_in_earlier_wave::RULE,             // a claim in an earlier wave
    &hook_in_both_phases::RULE,               // a hook in both of Argo CD's phases
    &unknown_annotation::RULE,                // an unknown annotation
    &immutable_field::RULE,                   // an immutable field, or a claim that shrinks
    &data_deleted_by_omission::RULE,          // data deleted by leaving it out
    &regenerated_key::RULE,                   // a key that was generated once changes
    &secret_in_git::RULE,                     // a secret in git
    &development_default::RULE,               // a development default
    &moving_tag::RULE,                        // a tag that moves
    &sealed_for_another::RULE,                // sealed for somebody else
    &overdue_rotation::RULE,                  // a rotation that is overdue
    &key_that_is_no_variable::RULE,           // a key that is no variable
    &replicas_beside_autoscaler::RULE,        // replicas beside an autoscaler
    &overlapping_singleton::RULE,             // a singleton rolled over itself
    &unkept_data::RULE,                       // data that is not kept
    &widened_rights::RULE,                    // rights that are widened
    &open_to_anybody::RULE,                   // open to anybody
    &certificate_with_two_owners::RULE,       // a certificate with two owners
    &insufficient_nodes::RULE,                // more than the nodes have
    &baked_into_image::RULE,                  // built into an image that stays
    &disagreeing_lists::RULE,                 // lists of services that disagree
    &drifted_copy::RULE,                      // a host or a copy that has drifted
    &foreign_object::RULE,                    // an object of somebody else
    &missing_prerequisite::RULE,              // a prerequisite that is missing
    &too_little_time_to_start::RULE,          // too little time to start
    &impossible_check::RULE,                  // a check that cannot pass
    &invalid_manifest::RULE,                  // a manifest that its kind does not allow
    &address_routed_twice::RULE,              // an address routed twice
    &node_directory::RULE,                    // a directory of the node
    &jobs_cut_off::RULE,                      // jobs cut off
    &too_many_connections::RULE,              // more connections than there are
    &unagreed_host::RULE,                     // a host that was not agreed on
    &exposed_internal::RULE,                  // something internal that is exposed
    &forbidden_component::RULE,               // a component that is forbidden here
    &shared_names::RULE,                      // names shared by environments
    &class_in_template::RULE,                 // a class in a template
    &secret_handed_over::RULE,                // a Secret handed over
    &unseen_settings::RULE,                   // settings that pods do not see
    &name_counting_revisions::RULE,           // a name that counts revisions
    &password_on_command_line::RULE,          // a password on a command line
    &domain_bound_to_tls::RULE,               // a domain bound to TLS
    &namespace_in_template::RULE,             // a namespace in a template
    &hidden_and_written::RULE,                // a difference hidden and written
    &call_to_a_desk::RULE,                    // a call to somebody's desk
    &web_socket_cut_off::RULE,                // a web socket cut off
    &plain_address_over_tls::RULE,            // a plain address of what is served over TLS
    &application_of_another_repository::RULE, // an Application of another repository
    &outdated_document::RULE,                 // a document that says otherwise
    &built_from_write_back::RULE,             // built from what a build wrote back
    &version_in_selector::RULE,               // a version in a selector
    &selector_taking_others::RULE,            // a selector that takes others' pods
    &variable_from_missing_one::RULE,         // a variable from one that is not there
    &monitor_that_finds_nothing::RULE,        // a monitor that finds nothing
    &lookup_without_data::RULE,               // looked up and without data
    &answered_by_another::RULE,               // a page that somebody else answers
    &forgotten_pull_secret::RULE,             // a pull secret forgotten
    &missing_probe_port::RULE,                // a port that a probe does not find
    &not_let_in::RULE,                        // a pod that its namespace does not let in
    &credential_in_config_map::RULE,          // a credential in a ConfigMap
    &value_that_nobody_reads::RULE,           // a value that nobody reads
    &claim_that_is_not_mounted::RULE,         // a claim that is not mounted
    &value_printed_raw::RULE,                 // a value printed raw
    &encoded_twice::RULE,                     // encoded twice
    &value_that_prints_nothing::RULE,         // a value that prints nothing
    &file_that_is_not_mounted::RULE,          // a file that is not mounted
    &selector_hitting_nothing::RULE,          // a selector that hits nothing
    &autoscaler_without_target::RULE,         // an autoscaler without its target
    &resource_name_of_nothing::RULE,          // a right to what is not there
    &container_named_by_annotation::RULE,     // a container that an annotation names
    &port_that_nobody_opens::RULE,            // a port that nobody opens
    &host_that_is_no_service::RULE,           // a host that is no Service
    &unreadable_contents::RULE,               // contents that cannot be read
    &unseen_files::RULE,                      // files that pods do not see
    &name_of_hook_and_manifest::RULE,         // a name of a hook and a manifest
    &label_of_a_controller::RULE,             // a label of a controller
    &test_that_is_no_hook::RULE,              // a test that is no hook
    &data_left_behind::RULE,                  // data left behind
    &server_of_another_major::RULE,           // a server of another major version
    &database_at_rest::RULE,                  // a database at rest
    &schedule_that_never_fires::RULE,         // a schedule that never fires
    &cut_off_from_names::RULE,                // cut off from names
    &host_network_without_names::RULE,        // the node's network without names
    &autoscaler_without_request::RULE,        // an autoscaler without a request
    &measured_at_another_port::RULE,          // measured at another port
    &hook_that_stays::RULE,                   // a hook that stays when it fails
    &branch_for_a_gone_version::RULE,         // a branch for a version that is gone
    &condition_with_a_constant::RULE,         // a condition with a constant
    &prefix_unlike_its_siblings::RULE,        // a variable unlike its siblings
    &annotation_beside_its_pods::RULE,        // a pods' annotation on their owner
    &right_that_a_script_lacks::RULE,         // a right that a script lacks
    &nothing_may_be_evicted::RULE,            // nothing may be evicted
    &grace_too_short::RULE,                   // a grace that is too short
    &heap_above_limit::RULE,                  // a heap above the limit
    &impossible_quantity::RULE,               // an impossible quantity
    &host_without_certificate::RULE,          // a host without a certificate
    &node_path_mounted::RULE,                 // a path of the node that is mounted
    &data_of_another_user::RULE,              // data of another user
    &run_that_cannot_begin::RULE,             // a run that cannot begin
    &slip_in_json::RULE,                      // a slip in JSON
    &text_not_of_its_grammar::RULE,           // a text that is not of its grammar
    &rights_left_behind::RULE,                // rights that are left behind
    &setting_that_breaks::RULE,               // a setting that breaks the chart
    &branch_never_taken::RULE,                // a branch that is never taken
    &right_to_nothing::RULE,                  // a right to nothing
    &known_name_misspelt::RULE,               // a known name misspelt
    &switch_that_is_always_on::RULE,          // a switch that is always on
    &number_written_otherwise::RULE,          // a number written otherwise
    &policy_for_other_ports::RULE,            // a policy for other ports
    &path_taken_by_the_letter::RULE,          // a path taken by the letter
    &service_gone_from_its_pods::RULE,        // a Service gone from its pods
    &key_twice_in_values::RULE,               // a key twice in values
    &rollout_that_stands_still::RULE,         // a rollout that stands still
    &slip_in_script::RULE,                    // a slip in a script
    &command_that_is_no_program::RULE,        // a command that is no program
    &kubernetes_that_is_refused::RULE,        // a Kubernetes that a chart refuses
    &declared_of_nobody::RULE,                // declared of a container that is not there
    &lines_run_together::RULE,                // lines that a template runs together
    &variable_for_nothing::RULE,              // a variable for nothing
    &name_alike_in_loop::RULE,                // one name for each item
    &typographic_mark::RULE,                  // typographic quotes and dashes
    &scratch_unlike_its_siblings::RULE,       // a place to write to that one lacks
    &alive_when_ready::RULE,                  // alive only when ready
    &registry_unlike_its_siblings::RULE,      // a registry that one lacks
    &text_written_as_yaml::RULE,              // text written as YAML once more
    &key_that_nobody_reads::RULE,             // a key that nobody reads
    &constant_for_its_value::RULE,            // a constant for its value
    &port_named_twice::RULE,                  // a port's name that two containers give
    &service_named_in_full::RULE,             // a Service that an option names
    &version_of_a_provider::RULE,             // a provider's version
    &probe_of_another_scheme::RULE,           // a probe of another scheme
    &pods_without_names::RULE,                // pods without names
    &manifest_among_definitions::RULE,        // a manifest among definitions
    &image_of_one_architecture::RULE,         // an image of one architecture
    &secret_named_otherwise::RULE,            // a Secret that is named otherwise
    &creation_bound_to_names::RULE,           // rights to create that are bound to names
    &argument_of_several::RULE,               // an argument of several words
    &address_of_another_server::RULE,         // an address of another server
    &image_without_its_maker::RULE,           // an image without its maker
    &field_that_helm_has_not::RULE,           // a field that Helm has not
    &variable_that_a_file_asks_for::RULE,     // a variable that a file asks for
    &number_that_is_none::RULE,               // a number that is none
    &default_never_taken::RULE,               // a default that is never taken
    &account_unlike_its_siblings::RULE,       // an account that one lacks
    &migration_on_the_first_day::RULE,        // a migration on the first day alone
    &label_misspelt::RULE,                    // a label misspelt
    &placed_unlike_its_siblings::RULE,        // a place that one does not take
    &resource_named_otherwise::RULE,          // a resource that is named otherwise
    &item_of_another_list::RULE,              // an item of another list
    &default_taken_by_null::RULE,             // a default that a null takes away
    &secret_that_nobody_reads::RULE,          // a Secret that nobody reads
    &table_out_of_its_column::RULE,           // a table that is out of its column
    &secret_of_the_first_day::RULE,           // a Secret of the first day
    &binding_of_another_account::RULE,        // a binding of another account
    &fields_that_exclude::RULE,               // fields that exclude each other
    &migration_without_its_secret::RULE,      // a migration without its Secret
    &address_told_to_others::RULE,            // another's address told to others
    &asked_beside_its_path::RULE,             // asked for beside its path
    &probe_without_its_key::RULE,             // a probe without its key
    &half_of_a_pair::RULE,                    // half of a pair
    &variable_in_another_form::RULE,          // a variable in another form
    &slip_in_sql::RULE,                       // a slip in SQL
    &word_out_of_place::RULE,                 // a word out of its place
    &written_to_what_is_read_only::RULE,      // written to what is read-only
    &switch_left_out::RULE,                   // a switch that is left out
    &value_of_the_other_table::RULE,          // a value of the other table
    &name_of_every_release::RULE,             // a name that is each release's
    &name_of_every_namespace::RULE,           // a name that is each namespace's
    &settings_of_another_item::RULE,          // settings of another item
    &mount_below_a_mount::RULE,               // a mount below a mount
    &field_of_its_neighbour::RULE,            // a field of its neighbour
    &pipeline_of_a_collector::RULE,           // a collector's pipeline of what is not configured
    &chart_yaml_key::RULE,                    // a key of Chart.yaml misspelt
    &blanks_between::RULE,                    // blanks between what is put together
    &message_of_no_value::RULE,               // a message of no value
    &break_in_quoted_text::RULE,              // a break in a quoted text
    &word_taken_for_a_switch::RULE,           // a word that is taken for a switch
    &switch_of_a_part::RULE,                  // the switch of a part that is brought along
    &printed_where_it_is_known::RULE,         // printed only where it is known already
    &namespace_unlike_its_siblings::RULE,     // an object outside the namespace of its siblings
    &registry_in_front_of_another::RULE,      // a registry in front of another one
    &global_left_out::RULE,                   // a value without the global one that stands in for it
    &webhook_unlike_its_siblings::RULE,       // a webhook that leaves out what the others say
    &values_changed_by_a_template::RULE,      // values that a template writes into
    &option_of_another_setting::RULE,         // options that were copied
    &brace_left_behind::RULE,                 // a brace too many
    &template_named_in_a_text::RULE,          // a template's name printed
];

/// The rule of an id, whatever its case; those of `doctor` too.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().chain(crate::place::DOCTOR_RULES).copied().find(|rule| rule.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_stand_in_order_and_say_why_and_what_to_do() {
        for pair in RULES.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} stands before {}", pair[0].id, pair[1].id);
        }
        for rule in RULES {
            assert!(rule.id.len() == 5 && rule.id.starts_with("LF"), "{}", rule.id);
            for text in [rule.why, rule.advice] {
                assert!(text.ends_with('.') && text.len() > 30, "{}: {text}", rule.id);
            }
            assert!(!rule.title.ends_with('.') && !rule.title.is_empty(), "{}", rule.id);
        }
    }
}
