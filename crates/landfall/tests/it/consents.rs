//! A yes: one way of asking for it, whatever is to be done.

use std::time::{Duration, Instant};

use super::sandbox::{Sandbox, small_chart};
use super::terminal::Terminal;
use super::workshop::Workshop;

/// A shop whose one environment, `prod`, is protected.
fn protected() -> Workshop {
    let shop = Workshop::new("production");
    shop.sandbox.edit("landfall.yaml", "  local:", "  prod:");
    shop.sandbox.edit("landfall.yaml", "{context: production}", "{context: production, protected: true}");
    shop.sandbox.edit("landfall.yaml", "    build:\n      web: {context: app, args: {API: address}}\n", "");
    shop.sandbox.commit("Begin");
    shop
}

/// What changes a cluster, in an order in which each has something to do.
const VERBS: [&[&str]; 3] = [&["up", "--dirty"], &["rollback"], &["down"]];
const PLACE: [&str; 4] = ["--kubeconfig", "kubeconfig", "--state", "own"];

#[test]
fn at_a_terminal_a_protected_environment_is_changed_by_who_types_its_name_and_off_one_by_yes() {
    let shop = protected();
    shop.run(&[&["up", "--dirty", "--yes"][..], &PLACE].concat()).exits(0);
    shop.sandbox.edit("chart/values.yaml", "replicas: 1", "replicas: 2");
    for verb in VERBS {
        let words = [verb, &PLACE].concat();
        let nobody = shop.run(&words).exits(2);
        assert!(nobody.stderr.contains("environment `prod` is protected"), "{}", nobody.all());
        assert!(nobody.stderr.contains("--yes"), "{}", nobody.all());
        let typed = |answer: &'static str| {
            let mut command = shop.command(&words);
            command.env_remove("CI").env("NO_COLOR", "1");
            Terminal::of(100).typing(answer).run(&command)
        };
        for no in ["y\n", "yes\n", "production\n", "\n"] {
            let (code, sent) = typed(no);
            assert_eq!(code, 1, "{verb:?} with {no:?}: {sent}");
            assert!(sent.contains("Environment prod is protected. Type its name: "), "{verb:?}: {sent}");
            assert!(sent.contains("no yes was given"), "{verb:?}: {sent}");
        }
        let (code, sent) = typed("prod\n");
        assert_eq!(code, 0, "{verb:?}: {sent}");
    }
}

#[test]
fn yes_answers_every_question() {
    let shop = protected();
    for verb in VERBS {
        if verb[0] == "rollback" {
            shop.sandbox.edit("chart/values.yaml", "replicas: 1", "replicas: 2");
            shop.run(&[&["up", "--dirty", "--yes"][..], &PLACE].concat()).exits(0);
        }
        shop.run(&[verb, &["--yes"], &PLACE].concat()).exits(0);
    }
}

#[test]
fn one_interruption_ends_a_question_at_once() {
    let shop = protected();
    shop.run(&[&["up", "--dirty", "--yes"][..], &PLACE].concat()).exits(0);
    shop.sandbox.edit("chart/values.yaml", "replicas: 1", "replicas: 2");
    let undone = ["not delivered", "not rolled back", "nothing was removed"];
    for (verb, undone) in VERBS.into_iter().zip(undone) {
        let mut command = shop.command(&[verb, &PLACE].concat());
        command.env_remove("CI").env("NO_COLOR", "1");
        let began = Instant::now();
        let (code, sent) = Terminal::of(100).typing_after("Type its name: ", "\u{3}").run(&command);
        assert_eq!(code, 130, "{verb:?}: {sent}");
        assert!(sent.contains(&format!("interrupted; {undone}")), "{verb:?}: {sent}");
        assert!(!sent.contains("did not end") && !sent.contains("journal"), "{verb:?}: {sent}");
        assert!(began.elapsed() < Duration::from_secs(9), "{verb:?}: a second one would have been needed");
    }
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["up", "web", "--once"]).exits(0);
    let mut reset = sandbox.command(&["cluster", "reset"]);
    reset.env_remove("CI").env("NO_COLOR", "1");
    let (code, sent) = Terminal::of(100).typing_after("[y/N] ", "\u{3}").run(&reset);
    assert!(code == 130 && sent.contains("interrupted; nothing was forgotten"), "{code}: {sent}");
    assert!(sandbox.root().join(".landfall").exists());
}
