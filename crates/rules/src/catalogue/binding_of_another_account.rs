use landfall_chart::Rendered;
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::table_at;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Text, ifs, own_texts};
use crate::written::{Written, lines, says_the_same, written};

pub(super) static RULE: Rule = Rule {
    id: "LF381",
    title: "rights are for the account that the pods run under, whatever it is called and whoever makes it",
    severity: Severity::Warning,
    why: "A binding that takes its account's name from another place than the account and the pods do is right for one name alone. One that \
          is made only where the chart makes the account leaves out everybody who brings an account of their own. Either way the pods \
          run and are refused whatever they ask the API for.",
    advice: "Let one template make the name, and switch the rights by a value of their own (`rbac.create`).",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            let texts = own_texts(rendered);
            let told = named_otherwise(&texts).into_iter().chain(behind_the_account(rendered, &texts));
            findings.extend(told.map(|(finding, text, at)| {
                finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(at)) })
            }));
        }
    }
    findings
}

/// A finding, and where it is.
type Told<'t> = (Finding, &'t Text<'t>, usize);

/// Bindings whose account is called otherwise than those that the chart makes and its pods run under.
fn named_otherwise<'t>(texts: &'t [Text<'t>]) -> Vec<Told<'t>> {
    let all: Vec<(&Text<'_>, Written<'_>)> =
        texts.iter().flat_map(|text| written(&text.text).into_iter().map(move |it| (text, it))).collect();
    let made: Vec<&str> = all.iter().filter(|(_, it)| it.kind == "ServiceAccount").map(|(_, it)| it.name).collect();
    let used: Vec<&str> = texts.iter().flat_map(|text| accounts_of_pods(&text.text)).collect();
    let is_made = |name: &str| made.iter().any(|it| says_the_same(it, name));
    // What a helper makes may be either.
    let is_plain = |name: &&str| name.contains("{{") && !calls(name);
    if made.is_empty() || used.is_empty() || !made.iter().all(is_plain) || !used.iter().all(|it| is_made(it)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (text, binding) in all.iter().filter(|(_, it)| is_binding(it)) {
        for (at, bound) in bound(binding.text).into_iter().filter(|(_, name)| is_plain(name) && !is_made(name)) {
            let finding = RULE
                .finding(format!("a {} is for the account `{bound}`, and the chart's is `{}`", binding.kind, made[0]))
                .keyed(format!("{} {bound}", text.path))
                .because("the two are the same for one name of the release, or for none, and otherwise the pods have no rights")
                .help(format!("name `{}` in the binding", made[0]));
            found.push((finding, *text, binding.at + at));
        }
    }
    found
}

/// Bindings that are made only where the chart makes the account, while it takes another one's name as well.
fn behind_the_account<'t>(rendered: &Rendered, texts: &'t [Text<'t>]) -> Vec<Told<'t>> {
    let mut found = Vec::new();
    for text in texts {
        for block in ifs(&text.text) {
            let Some(part) = part_of_account(block.asks).filter(|part| takes_a_name(rendered, part)) else { continue };
            let inner = &text.text[block.body.clone()];
            for binding in written(inner).into_iter().filter(is_binding) {
                let finding = RULE
                    .finding(format!("a {} is made only where `{part}.create` is on", binding.kind))
                    .keyed(format!("{} {part} {}", text.path, binding.name))
                    .weighing(Severity::Info)
                    .because(format!("an account of somebody's own in `{part}.name` is given no rights"))
                    .help("switch the rights by a value of their own, `rbac.create`");
                found.push((finding, text, block.body.start + binding.at));
            }
        }
    }
    found
}

fn is_binding(it: &Written<'_>) -> bool {
    matches!(it.kind, "RoleBinding" | "ClusterRoleBinding")
}

/// Whether a text calls another template.
fn calls(text: &str) -> bool {
    ["include ", "template ", "tpl "].iter().any(|call| text.contains(call))
}

/// The part of the values whose account a condition asks for, and nothing else: `serviceAccount` of `.Values.serviceAccount.create`.
fn part_of_account(asks: &str) -> Option<&str> {
    let part = asks.trim_start_matches('$').strip_prefix(".Values.")?.strip_suffix(".create")?;
    let is_path = part.chars().all(|it| it.is_ascii_alphanumeric() || "._-".contains(it));
    (is_path && part.to_ascii_lowercase().ends_with("serviceaccount")).then_some(part)
}

/// Whether a part of the values takes the name of an account.
fn takes_a_name(rendered: &Rendered, part: &str) -> bool {
    let steps: Vec<&str> = part.split('.').collect();
    table_at(&rendered.values, &steps).is_some_and(|it| it.contains("name"))
}

/// The accounts that pods of a text run under, as they are written.
fn accounts_of_pods(text: &str) -> Vec<&str> {
    let named = text.lines().filter_map(|line| line.trim_start().strip_prefix("serviceAccountName:"));
    named.map(str::trim).filter(|it| !it.is_empty()).collect()
}

/// The accounts that a binding is for, as they are written, each with where its line begins.
fn bound(binding: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut item: Option<(bool, Option<(usize, &str)>)> = None;
    let below = lines(binding).skip_while(|(_, line)| !line.starts_with("subjects:")).skip(1);
    let own = below.take_while(|(_, line)| line.is_empty() || line.starts_with([' ', '-', '{', '#']));
    for (at, line) in own {
        let line = line.trim_start();
        if line.starts_with("- ") {
            found.extend(item.take().and_then(|(is_account, name)| name.filter(|_| is_account)));
            item = Some((false, None));
        }
        let Some((is_account, name)) = &mut item else { continue };
        match line.trim_start_matches(['-', ' ']).split_once(':') {
            Some(("kind", kind)) => *is_account = kind.trim() == "ServiceAccount",
            Some(("name", said)) => *name = Some((at, said.trim().trim_matches(['"', '\'']))),
            _ => {}
        }
    }
    found.extend(item.take().and_then(|(is_account, name)| name.filter(|_| is_account)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_bindings_are_read_as_they_are_written() {
        let text = "kind: ClusterRoleBinding\nmetadata:\n  name: a\nsubjects:\n- kind: ServiceAccount\n  name: {{ .Values.b }}\n  \
                    namespace: c\n- kind: User\n  name: d\nroleRef:\n  kind: ClusterRole\n  name: e\n";
        let names: Vec<&str> = bound(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["{{ .Values.b }}"]);
    }

    #[test]
    fn a_condition_on_an_account_asks_for_its_creation_alone() {
        assert_eq!(part_of_account(".Values.serviceAccount.create"), Some("serviceAccount"));
        assert_eq!(part_of_account("$.Values.server.serviceAccount.create"), Some("server.serviceAccount"));
        for asks in [".Values.rbac.create", "and .Values.serviceAccount.create .Values.rbac.create", ".Values.a"] {
            assert_eq!(part_of_account(asks), None, "{asks}");
        }
    }
}
