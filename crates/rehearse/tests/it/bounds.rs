//! How far rules follow what a delivery names: a text of thousands of addresses ends at a bound, and one below it is judged whole.

use landfall_diag::Finding;
use landfall_rehearse::Rehearsal;

use crate::steps::install;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: shop-cache}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n---\n";

fn of_rule<'r>(rehearsal: &'r Rehearsal, rule: &str) -> Vec<&'r Finding> {
    rehearsal.examination.findings.iter().filter(|it| it.rule == rule).collect()
}

/// Whether the address that no Service has is told in a script.
fn is_told(script: &str) -> bool {
    let lines: String = script.lines().map(|line| format!("    {line}\n")).collect();
    let map =
        format!("{SERVICE}apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: script}}\ndata:\n  run.sh: |\n{lines}");
    let rehearsal = install(&[("templates/script.yaml", &map)]);
    let found = of_rule(&rehearsal, "LF187");
    found.iter().any(|it| it.message.contains("`cache` is no Service of the release"))
}

#[test]
fn a_thousand_addresses_are_followed_and_those_that_are_alike_count_once() {
    let script = |others: usize| {
        let others: String = (0..others).map(|at| format!("curl http://other{at}.example.com/\n")).collect();
        format!("{others}{}curl http://cache/\n", "curl http://same.example.com/\n".repeat(500))
    };
    assert!(is_told(&script(998)));
    assert!(!is_told(&script(999)));
}

#[test]
fn a_call_in_one_of_too_many_dead_branches_counts_as_called() {
    let branches = |count: usize| {
        (0..count).map(|at| format!("if [ \"$A{at}\" = b ]; then curl http://cache/; fi\n")).collect::<String>()
    };
    assert!(!is_told(&branches(64)));
    assert!(is_told(&branches(65)));
}

#[test]
fn a_key_that_nobody_reads_is_compared_with_a_thousand_at_most() {
    let help = |further: usize| {
        let further: String = (0..further).map(|at| format!("k{at}: 1\n")).collect();
        let values = format!("replicaCount: 1\nreplicaCuont: 2\n{further}");
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata: {a: \"{{ .Values.replicaCount }}\"}\n";
        let rehearsal = install(&[("values.yaml", &values), ("templates/it.yaml", map)]);
        let found = of_rule(&rehearsal, "LF175");
        let own = found.iter().find(|it| it.key == "replicaCuont").expect("it is told");
        own.help.clone()
    };
    assert!(help(998).contains("`replicaCount`"));
    assert!(!help(999).contains("`replicaCount`"));
}
