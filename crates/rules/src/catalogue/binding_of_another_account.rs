use landfall_chart::Rendered;
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::{table_at, value_at};
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
            findings.extend(told.chain(switched_otherwise(rendered, &texts)).map(|(finding, text, at)| {
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

/// An account or a binding, and what has to hold for it: each part with where it is asked for.
struct Placed<'t> {
    text: &'t Text<'t>,
    object: Written<'t>,
    asks: Vec<(String, usize)>,
}

/// Bindings that are made under the condition of their account but for one value, in whose place they ask for another part's.
fn switched_otherwise<'t>(rendered: &Rendered, texts: &'t [Text<'t>]) -> Vec<Told<'t>> {
    let all: Vec<Placed<'_>> = texts.iter().flat_map(placed).collect();
    let (bindings, accounts): (Vec<_>, Vec<_>) = all.iter().partition(|it| is_binding(&it.object));
    let mut found = Vec::new();
    for binding in &bindings {
        for (_, name) in bound(binding.object.text) {
            let mut own = accounts.iter().filter(|it| says_the_same(it.object.name, name));
            let (Some(account), None) = (own.next(), own.next()) else { continue };
            // Where it has its rights by another one, this one may give more of them.
            let is_for_it = |it: &Placed<'_>| bound(it.object.text).iter().any(|(_, other)| says_the_same(other, name));
            if bindings.iter().any(|it| is_for_it(it) && more(it, account).is_empty() && more(account, it).is_empty()) {
                continue;
            }
            let Some((other, meant, at)) = exchanged(binding, account) else { continue };
            if ![other, meant].iter().all(|path| is_switch(rendered, path)) {
                continue;
            }
            let finding = RULE
                .finding(format!("a {} asks for `{other}`, and its account for `{meant}`", binding.object.kind))
                .keyed(format!("{} {other}", binding.text.path))
                .because("where one of the two is set and the other is not, the account is left without its rights")
                .help(format!("ask for `{meant}` in both"));
            found.push((finding, binding.text, at));
        }
    }
    found
}

/// The accounts and bindings of a text, each with its condition; what stands behind an `else` is left out.
fn placed<'t>(text: &'t Text<'t>) -> Vec<Placed<'t>> {
    let blocks = ifs(&text.text);
    let all = written(&text.text).into_iter().filter(|it| it.kind == "ServiceAccount" || is_binding(it));
    let placed = all.filter_map(|object| {
        let around: Vec<_> = blocks.iter().filter(|it| (it.at..it.end).contains(&object.at)).collect();
        if !around.iter().all(|it| it.body.contains(&object.at)) {
            return None;
        }
        let asks = around.iter().flat_map(|it| conjuncts(it.asks).into_iter().map(move |asks| (asks, it.at))).collect();
        Some(Placed { text, object, asks })
    });
    placed.collect()
}

/// What all has to hold for a condition: the arguments of its `and`, or itself.
fn conjuncts(asks: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let ends = |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && letter.is_whitespace()
    };
    let mut terms = asks.split(ends).filter(|it| !it.is_empty());
    match terms.next() {
        Some("and") => terms.map(bare).collect(),
        _ => vec![bare(asks)],
    }
}

/// A part of a condition without the brackets around it.
fn bare(term: &str) -> String {
    let inner = term.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(term);
    inner.replace("$.Values", ".Values").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What has to hold for an object and need not for another one, each part with where it is asked for.
fn more<'a>(own: &'a Placed<'_>, other: &Placed<'_>) -> Vec<(&'a str, usize)> {
    let is_new = |asks: &str| !other.asks.iter().any(|(it, _)| it == asks);
    own.asks.iter().filter(|(asks, _)| is_new(asks)).map(|(asks, at)| (asks.as_str(), *at)).collect()
}

/// The value that a binding does not want, the one that its account does not, and where the binding says so, if the two are alike
/// for the rest: they are called alike, and of different parts.
fn exchanged<'a>(binding: &'a Placed<'_>, account: &'a Placed<'_>) -> Option<(&'a str, &'a str, usize)> {
    let [(other, at)] = more(binding, account)[..] else { return None };
    let [(meant, _)] = more(account, binding)[..] else { return None };
    let (other, meant) = (other.strip_prefix("not .Values.")?, meant.strip_prefix("not .Values.")?);
    let is_called_alike = other.rsplit('.').next() == meant.rsplit('.').next();
    let is_of_another = other.split('.').next() != meant.split('.').next();
    (is_called_alike && is_of_another).then_some((other, meant, at))
}

/// Whether what stands at a path of the values is on or off.
fn is_switch(rendered: &Rendered, path: &str) -> bool {
    value_at(&rendered.values, path).is_some_and(|it| it.as_bool().is_some())
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
    fn an_account_and_its_binding_differ_in_what_one_of_them_asks_for() {
        let text = |asks: &str, kind: &str| Text {
            path: "rights.yaml".to_owned(),
            text: format!("{{{{- if {asks} -}}}}\nkind: {kind}\n{{{{- end }}}}\n").into(),
        };
        let of = |account: &str, binding: &str| {
            let (account, binding) = (text(account, "ServiceAccount"), text(binding, "RoleBinding"));
            let (account, binding) = (placed(&account), placed(&binding));
            exchanged(&binding[0], &account[0]).map(|(other, meant, at)| format!("{other} {meant} {at}"))
        };
        let account = "and .Values.b.on (not .Values.b.own.enabled)";
        let other = "and $.Values.b.on (not .Values.a.enabled)";
        assert_eq!(of(account, other).as_deref(), Some("a.enabled b.own.enabled 0"));
        for other in [
            account,
            "and .Values.b.on .Values.a.enabled",
            "and .Values.b.on (not .Values.a.on)",
            "and .Values.b.on (not .Values.b.other.enabled)",
            "and .Values.b.on .Values.rbac.create (not .Values.a.enabled)",
            "not .Values.a.enabled",
            "or .Values.b.on (not .Values.a.enabled)",
        ] {
            assert_eq!(of(account, other), None, "{other}");
        }
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
