//! The edge's verbs at a terminal: how wide they print, and what they ask.

use super::super::terminal::Terminal;
use super::*;

const NAME: &str = "edge-berlin-hall-7-cutting-machine-000001";

/// A fleet in which something has happened: an edge whose upgrade did not work, one that is left out, a campaign that rests.
fn eventful(sandbox: &Sandbox) -> Fleet {
    let fleet = serve(sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(sandbox, "1.1.0");
    let token = token(sandbox, &["--label", "site=berlin-brandenburg"]);
    let edge = fleet.enroll(&token, NAME);
    fleet.enroll(&token, "edge-riscv-000002");
    let said = json!({"platform": "linux", "arch": "riscv"});
    let other = fleet.enroll(&token, "edge-odd-000003");
    fleet.beat(&other, said);
    fleet.beat(&edge, json!({}));
    let create = ["edge", "campaign", "create", "1.1.0", "--name", "spring-of-the-cutting-machines", "--edge", NAME];
    sandbox.run(&create).exits(0);
    assert_eq!(fleet.beat(&edge, json!({})).json()["targetVersion"], "1.1.0");
    let reason = "Staged upgrade artifact already exists for another version that was never started on this machine";
    fleet.beat(&edge, json!({"upgradeStatus": "FAILED", "reason": reason, "lastError": reason}));
    fleet
}

#[test]
fn tables_of_the_edges_verbs_fit_a_terminal_of_60_columns() {
    let sandbox = Sandbox::empty();
    let _fleet = eventful(&sandbox);
    sandbox.run(&["token", "create", "somebody-who-looks-on"]).exits(0);
    let campaign = "spring-of-the-cutting-machines";
    for words in [
        &["edge", "list"][..],
        &["edge", "list", "--search", "nowhere"],
        &["edge", "get", NAME],
        &["edge", "explain", NAME],
        &["edge", "label", NAME, "site=berlin-brandenburg", "hall=seven", "machine=cutting"],
        &["edge", "disable", NAME, "--yes"],
        &["edge", "token", "create", "workshop-of-the-third-hall", "--max-uses", "3"],
        &["edge", "token", "list"],
        &["edge", "release", "list"],
        &["edge", "keys", "show"],
        &["edge", "campaign", "create", "1.1.0", "--dry-run"],
        &["edge", "campaign", "list"],
        &["edge", "campaign", "get", campaign],
        &["edge", "campaign", "abort", campaign, "--yes"],
        &["edge", "campaign", "list"],
        &["edge", "release", "yank", "1.1.0", "--yes"],
        &["edge", "release", "list"],
        &["token", "list"],
    ] {
        let mut command = sandbox.command(words);
        command.env("NO_COLOR", "1");
        let (code, sent) = Terminal::of(60).run(&command);
        assert_eq!(code, 0, "{words:?}: {sent}");
        // What is to be copied stays on one line, and so does a token.
        let is_copied = |line: &&str| line.contains("landfall ") || line.contains("_live_");
        let is_long = |line: &&str| line.trim_end().chars().count() > 60;
        let long: Vec<&str> = sent.lines().filter(is_long).filter(|line| !is_copied(line)).collect();
        assert!(long.is_empty(), "{words:?}: {long:#?}\n{sent}");
        assert!(!sent.trim().is_empty(), "{words:?}");
    }
}

#[test]
fn a_campaign_is_given_up_and_taken_back_by_whoever_says_yes() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    sandbox.run(&["edge", "keys", "init", "keys"]).exits(0);
    registered_release(&sandbox, "1.1.0");
    fleet.enroll(&token(&sandbox, &[]), "edge-a-000001");
    let begin = |name: &str| {
        sandbox.run(&["edge", "campaign", "create", "1.1.0", "--name", name, "--edge", "edge-a-000001"]).exits(0);
    };
    for (verb, asked) in [
        ("abort", "Give up campaign abort? [y/N]"),
        ("rollback", "Give up campaign rollback and bring its edges back to what each ran before? [y/N]"),
    ] {
        begin(verb);
        let words = ["edge", "campaign", verb, verb];
        let nobody = sandbox.run(&words).exits(2).says("nobody is there to give it");
        assert!(nobody.stderr.contains("--yes"), "{}", nobody.all());
        let typed = |answer: &'static str| {
            let mut command = sandbox.command(&words);
            command.env_remove("CI").env("NO_COLOR", "1");
            Terminal::of(100).typing(answer).run(&command)
        };
        for no in ["\n", "n\n"] {
            let (code, sent) = typed(no);
            assert!(code == 1 && sent.contains(asked) && sent.contains("nothing was changed"), "{code}: {sent}");
        }
        assert_eq!(campaign(&sandbox, verb)["state"], "RUNNING", "nobody has said yes");
        let (code, sent) = typed("y\n");
        assert_eq!(code, 0, "{sent}");
        assert_eq!(campaign(&sandbox, verb)["state"], "ABORTED", "{sent}");
    }
}

#[test]
fn what_edges_are_asked_for_by_is_known_and_that_none_is_so_is_said() {
    let sandbox = Sandbox::empty();
    let fleet = serve(&sandbox);
    let list = |more: &[&str]| sandbox.run(&[&["edge", "list"], more].concat());
    list(&[]).exits(0).says("there are no edges");
    fleet.enroll(&token(&sandbox, &[]), "edge-a-000001");
    list(&["--connectivity", "onlin"]).exits(2).says("did you mean `ONLINE`?");
    list(&["--status", "failing"]).exits(2).says("ROLLED_BACK");
    for (more, told) in [
        (&["--connectivity", "Offline"][..], "none is so"),
        (&["--selector", "site=south"], "none is so"),
        (&["--after", "7"], "there are no more"),
    ] {
        let listed = list(more).exits(0).says(told);
        assert!(!listed.stderr.contains("there are no edges"), "{}", listed.all());
    }
    list(&["--connectivity", "online"]).exits(0).says("edge-a-000001");
}
