//! The rules, one file each.
//!
//! A new one: `rules/lfNNN.rs` with `pub(super) static RULE`, a `mod` line and an entry here, a fixture
//! `tests/fixtures/LFNNN-name.fixture` (its form stands in `tests/it/fixture.rs`), and `docs/rules.md` written anew
//! (`LANDFALL_BLESS=1 cargo test -p landfall-rehearse reference`). The fixture is mutated by itself; run one with
//! `FIXTURE=LFNNN cargo test -p landfall-rehearse fixtures`.

mod lf100;
mod lf101;
mod lf102;
mod lf103;
mod lf104;
mod lf105;
mod lf106;
mod lf107;
mod lf108;
mod lf109;
mod lf110;
mod lf111;
mod lf112;
mod lf113;
mod lf114;
mod lf115;
mod lf116;
mod lf117;
mod lf118;
mod lf119;
mod lf120;
mod lf121;
mod lf122;
mod lf123;
mod lf124;
mod lf125;
mod lf126;
mod lf127;
mod lf128;
mod lf129;
mod lf130;
mod lf131;
mod lf132;
mod lf136;
mod lf137;
mod lf138;
mod lf139;
mod lf140;
mod lf141;
mod lf142;
mod lf143;
mod lf144;
mod lf145;
mod lf146;
mod lf147;
mod lf148;
mod lf149;
mod lf150;
mod lf151;
mod lf152;
mod lf153;
mod lf154;
mod lf155;
mod lf156;
mod lf157;
mod lf158;
mod lf159;
mod lf164;
mod lf165;
mod lf166;
mod lf167;
mod lf168;
mod lf169;
mod lf170;
mod lf171;
mod lf172;
mod lf173;

pub(crate) use lf116::{is_credential, is_placeholder};

use crate::rule::Rule;

/// All rules, by id.
pub static RULES: &[&Rule] = &[
    &lf100::RULE, // would not deliver
    &lf101::RULE, // render not deterministic
    &lf102::RULE, // looked up where there is no cluster
    &lf103::RULE, // a reference that resolves nowhere
    &lf104::RULE, // a variable that is missed when it is used
    &lf105::RULE, // a route that leads nowhere
    &lf106::RULE, // a port that the Service does not have
    &lf107::RULE, // a call that a policy cuts off
    &lf108::RULE, // waiting for what comes later
    &lf109::RULE, // a claim in an earlier wave
    &lf110::RULE, // a hook in both of Argo CD's phases
    &lf111::RULE, // an unknown annotation
    &lf112::RULE, // an immutable field, or a claim that shrinks
    &lf113::RULE, // data deleted by leaving it out
    &lf114::RULE, // a key that was generated once changes
    &lf115::RULE, // a secret in git
    &lf116::RULE, // a development default
    &lf117::RULE, // a tag that moves
    &lf118::RULE, // sealed for somebody else
    &lf119::RULE, // a rotation that is overdue
    &lf120::RULE, // a key that is no variable
    &lf121::RULE, // replicas beside an autoscaler
    &lf122::RULE, // a singleton rolled over itself
    &lf123::RULE, // data that is not kept
    &lf124::RULE, // rights that are widened
    &lf125::RULE, // open to anybody
    &lf126::RULE, // a certificate with two owners
    &lf127::RULE, // more than the nodes have
    &lf128::RULE, // built into an image that stays
    &lf129::RULE, // lists of services that disagree
    &lf130::RULE, // a host or a copy that has drifted
    &lf131::RULE, // an object of somebody else
    &lf132::RULE, // a prerequisite that is missing
    &lf136::RULE, // too little time to start
    &lf137::RULE, // a check that cannot pass
    &lf138::RULE, // a manifest that its kind does not allow
    &lf139::RULE, // an address routed twice
    &lf140::RULE, // a directory of the node
    &lf141::RULE, // jobs cut off
    &lf142::RULE, // more connections than there are
    &lf143::RULE, // a host that was not agreed on
    &lf144::RULE, // something internal that is exposed
    &lf145::RULE, // a component that is forbidden here
    &lf146::RULE, // names shared by environments
    &lf147::RULE, // a class in a template
    &lf148::RULE, // a Secret handed over
    &lf149::RULE, // settings that pods do not see
    &lf150::RULE, // a name that counts revisions
    &lf151::RULE, // a password on a command line
    &lf152::RULE, // a domain bound to TLS
    &lf153::RULE, // a namespace in a template
    &lf154::RULE, // a difference hidden and written
    &lf155::RULE, // a call to somebody's desk
    &lf156::RULE, // a web socket cut off
    &lf157::RULE, // a plain address of what is served over TLS
    &lf158::RULE, // an Application of another repository
    &lf159::RULE, // a document that says otherwise
    &lf164::RULE, // built from what a build wrote back
    &lf165::RULE, // a version in a selector
    &lf166::RULE, // a selector that takes others' pods
    &lf167::RULE, // a variable from one that is not there
    &lf168::RULE, // a monitor that finds nothing
    &lf169::RULE, // looked up and without data
    &lf170::RULE, // a page that somebody else answers
    &lf171::RULE, // a pull secret forgotten
    &lf172::RULE, // a port that a probe does not find
    &lf173::RULE, // a pod that its namespace does not let in
];

/// The rule of an id, whatever its case; those of `doctor` too.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().chain(crate::doctor::DOCTOR_RULES).copied().find(|rule| rule.id.eq_ignore_ascii_case(id))
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
