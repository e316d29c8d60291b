//! A rehearsal in the order in which one asks: would it deliver, what changes, what is risky, how long, what is open.

use std::collections::BTreeSet;
use std::fmt::Write;

use landfall_delivery::{CheckResult, Verdict, unmade};
use landfall_diag::{Diagnostic, Finding, Witness, render_plain};
use landfall_engine::Action;
use landfall_object::diff::Brief;
use landfall_rules::{Examination, Start, counted as findings_counted, findings_text};

use crate::at_hand::NotChecked;
use crate::impact::{Impact, Touched};
use crate::rehearsal::{Rehearsal, TrialReport};
use crate::report::findings_markdown;
use crate::report::markdown::{code, fenced, inline};

/// Which findings are shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Those of the change; what its base had is counted.
    New,
    /// What its base had, too.
    All,
}

/// A rehearsal for people at a terminal.
pub fn rehearsal_text(rehearsal: &Rehearsal, shown_findings: Shown) -> String {
    // Writing into a text cannot fail.
    let mut text = String::new();
    for (at, trial) in rehearsal.trials.iter().enumerate() {
        let _ = writeln!(text, "{}{}", verdict(trial, rehearsal), as_before(&rehearsal.trials, at));
        for diagnostic in new_reasons(&rehearsal.trials, at) {
            for line in render_plain(diagnostic).lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
        let widest = |of: fn(&CheckResult) -> &str| trial.checks.iter().map(|it| of(it).chars().count()).max();
        let names = widest(|check| &check.name).unwrap_or(0);
        let addresses = widest(|check| &check.address).unwrap_or(0);
        for check in &trial.checks {
            let (word, why) = match &check.verdict {
                Verdict::Passed => ("passed ~", String::new()),
                Verdict::Failed { reason } => ("failed", format!(": {reason}")),
                Verdict::NotSimulated { reason } => ("not simulated", format!(": {reason}")),
            };
            let _ = writeln!(text, "  check {:<names$}  {:<addresses$}  {word}{why}", check.name, check.address);
        }
    }
    if let Some(first) = rehearsal.trials.first() {
        let _ = writeln!(text, "\nwhat it does: {}", done(first));
        for change in first.impact.changes.iter().filter(|change| shown(change, &first.start)) {
            let _ = writeln!(text, "  {}", change_line(change));
        }
        for restart in &first.impact.restarts {
            let low = match restart.lowest_ready {
                Some(ready) => format!(", down to {ready} ready for a while"),
                None => ", never fewer ready than before".to_owned(),
            };
            let _ = writeln!(
                text,
                "  ↻ {}/{} restarts: {} pods{low}",
                restart.object.gvk.kind, restart.object.name, restart.pods
            );
        }
        for loss in &first.impact.losses {
            let _ = writeln!(text, "  ✗ lost with {}/{}: {}", loss.object.gvk.kind, loss.object.name, loss.what);
        }
    }
    let _ = writeln!(text, "\nwhat is risky:");
    let told = told_apart(rehearsal);
    // What fails by itself is told with the verdict, and is no finding any more.
    match told.findings.is_empty() && !rehearsal.would_deliver {
        true => text.push_str("nothing beside what fails\n"),
        false => text.push_str(&findings_text(&told)),
    }
    text.push_str(&old_sins_text(&rehearsal.known, shown_findings));
    for trial in &rehearsal.trials {
        if trial.waits.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\nhow long it waits, from {} (the cluster's clock):", trial.start);
        for wait in &trial.waits {
            let wave = if wait.wave == 0 { String::new() } else { format!(" wave {}", wait.wave) };
            let first = wait.objects.first().map(|key| format!("{}/{}", key.gvk.kind, key.name)).unwrap_or_default();
            let what = if wait.is_hook { format!("hook {first}") } else { first };
            let missing = wait.missing.as_deref().map(|missing| format!("  given up: {missing}")).unwrap_or_default();
            let _ = writeln!(text, "  {:>5} s  {} {}{wave}  {what}{missing}", wait.seconds, wait.unit, wait.phase);
        }
    }
    if !rehearsal.not_checked.is_empty() {
        text.push_str("\nwhat was not checked:\n");
        for NotChecked { what, why, .. } in &rehearsal.not_checked {
            let _ = writeln!(text, "  ~ {what}: {why}");
        }
    }
    if !rehearsal.not_simulated.is_empty() {
        let _ = writeln!(text, "\nwhat could not be simulated:");
        for note in &rehearsal.not_simulated {
            let _ = writeln!(text, "  ~ {note}");
        }
    }
    text
}

/// The findings without what the verdict has told already.
fn told_apart(rehearsal: &Rehearsal) -> Examination {
    let mut examination = rehearsal.examination.clone();
    examination.findings.retain(|finding| !(finding.rule == "LF100" && finding.witness == Witness::Rehearsal));
    examination
}

/// What the base had already, counted or in full.
pub(crate) fn old_sins_text(known: &[Finding], shown: Shown) -> String {
    if known.is_empty() {
        return String::new();
    }
    let old = Examination { findings: known.to_vec(), idle_waivers: Vec::new() };
    match shown {
        Shown::New => {
            format!("its base had these already, which do not count: {} (`--all` shows them)\n", findings_counted(&old))
        }
        Shown::All => format!("\nwhat its base had already, which does not count:\n{}", findings_text(&old)),
    }
}

fn verdict(trial: &TrialReport, rehearsal: &Rehearsal) -> String {
    let revision = &rehearsal.revision;
    let how = match &trial.start {
        Start::Empty => "first install on an empty cluster".to_owned(),
        start => format!("upgrade from {start}"),
    };
    let seconds = trial.seconds;
    if !trial.would_deliver {
        let as_its_base = if trial.as_its_base { ", as its base would not either" } else { "" };
        return format!("would NOT deliver: {revision}, {how}{as_its_base}");
    }
    let unmade = unmade(&trial.checks).count();
    let mut but = Vec::new();
    but.extend(not_at_hand(rehearsal));
    if unmade > 0 {
        but.push(format!("{unmade} of {} checks could not be made", trial.checks.len()));
    }
    match rehearsal.taken_as_there.as_slice() {
        [] => {}
        [one] => but.push(format!("{one} was taken as there")),
        [first, rest @ ..] => but.push(format!("{first} and {} more were taken as there", rest.len())),
    }
    match rehearsal.examination.errors() {
        0 => {}
        1 => but.push("one finding is an error".to_owned()),
        errors => but.push(format!("{errors} findings are errors")),
    }
    match (but.is_empty(), unmade) {
        (true, _) => format!("would deliver cleanly: {revision}, {how} ({seconds} s)"),
        (false, 0) if !rehearsal.not_checked.is_empty() => {
            format!("would deliver, as far as it was checked: {revision}, {how} ({seconds} s); {}", but.join("; "))
        }
        (false, 0) => format!("would deliver: {revision}, {how} ({seconds} s); {}", but.join("; ")),
        (false, _) => {
            format!("would deliver, as far as it was simulated: {revision}, {how} ({seconds} s); {}", but.join("; "))
        }
    }
}

/// What is not at hand, in a few words.
fn not_at_hand(rehearsal: &Rehearsal) -> Option<String> {
    let names: BTreeSet<&str> = rehearsal.not_checked.iter().filter_map(|it| it.dependency.as_deref()).collect();
    match names.into_iter().collect::<Vec<_>>().as_slice() {
        [] => match rehearsal.not_checked.as_slice() {
            [] => None,
            [one] => Some(format!("{} was not checked", one.what)),
            all => Some(format!("{} things were not checked", all.len())),
        },
        [one] => Some(format!("dependency {one} is not at hand")),
        [one, two, three, _, rest @ ..] => {
            Some(format!("dependencies {one}, {two}, {three} and {} more are not at hand", rest.len() + 1))
        }
        names => Some(format!("dependencies {} are not at hand", names.join(", "))),
    }
}

/// Whether a trial fails for the very reasons of the one before.
fn fails_alike(trials: &[TrialReport], at: usize) -> bool {
    let reasons = |trial: &TrialReport| trial.why.iter().map(|why| why.message.clone()).collect::<Vec<_>>();
    let before = at.checked_sub(1).and_then(|before| trials.get(before));
    !trials[at].why.is_empty() && before.is_some_and(|before| reasons(before) == reasons(&trials[at]))
}

fn as_before(trials: &[TrialReport], at: usize) -> &'static str {
    if fails_alike(trials, at) { ", for the same reason" } else { "" }
}

fn new_reasons(trials: &[TrialReport], at: usize) -> &[Diagnostic] {
    if fails_alike(trials, at) { &[] } else { &trials[at].why }
}

/// What a delivery does, in numbers; one that was refused at the outset does nothing.
fn done(trial: &TrialReport) -> String {
    match counted(&trial.impact) {
        _ if !trial.would_deliver && trial.impact.changes.is_empty() => "nothing, for it does not begin".to_owned(),
        counted => counted,
    }
}

/// On an empty cluster everything is new: naming it all tells nothing.
fn shown(change: &Touched, start: &Start) -> bool {
    *start != Start::Empty || change.action != Action::Create
}

fn change_line(change: &Touched) -> String {
    let sign = match change.action {
        Action::Create => "+",
        Action::Delete => "-",
        Action::Replace => "!",
        Action::Hook => ">",
        Action::Keep => "=",
        _ => "~",
    };
    let fields: Vec<String> = change
        .fields
        .iter()
        .take(3)
        .map(|field| {
            let by = field.by.as_ref().map(|by| format!(" (written by {by})")).unwrap_or_default();
            format!("{} {}{by}", field.path, Brief::of(field.from.as_ref(), field.to.as_ref(), 40))
        })
        .collect();
    let more = change.fields.len().saturating_sub(3);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let name = format!("{}/{}", change.object.gvk.kind, change.object.name);
    format!("{sign} {name:<40} {}{more}", fields.join(", ")).trim_end().to_owned()
}

/// `2 created, 1 changed, 1 restarts`, or `nothing changes`.
pub(crate) fn counted(impact: &Impact) -> String {
    let counts = [
        (impact.count(Action::Create), "created"),
        (impact.count(Action::Change), "changed"),
        (impact.count(Action::Replace), "replaced"),
        (impact.count(Action::Delete), "deleted"),
        (impact.count(Action::Hook), if impact.count(Action::Hook) == 1 { "hook run" } else { "hooks run" }),
        (impact.restarts.len(), "restarted"),
        (impact.losses.len(), "lost"),
    ];
    let parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if parts.is_empty() { "nothing changes".to_owned() } else { parts.join(", ") }
}

/// What the base had already, counted or in full, as Markdown.
pub(crate) fn old_sins_markdown(known: &[Finding], shown: Shown) -> String {
    if known.is_empty() {
        return String::new();
    }
    let old = Examination { findings: known.to_vec(), idle_waivers: Vec::new() };
    let counted = findings_counted(&old);
    match shown {
        Shown::New => format!("\nIts base had these already, which do not count: {counted}.\n"),
        Shown::All => format!(
            "\n<details><summary>What its base had already, which does not count: {counted}</summary>\n\n{}\n</details>\n",
            findings_markdown(&old)
        ),
    }
}

/// A rehearsal as Markdown, for a comment.
pub fn rehearsal_markdown(rehearsal: &Rehearsal, shown_findings: Shown) -> String {
    let mut text = String::new();
    for (at, trial) in rehearsal.trials.iter().enumerate() {
        let is_open = unmade(&trial.checks).next().is_some()
            || !rehearsal.taken_as_there.is_empty()
            || !rehearsal.not_checked.is_empty();
        let mark = match (trial.would_deliver, is_open) {
            (false, _) if !trial.as_its_base => "❌",
            _ if rehearsal.examination.errors() > 0 => "❌",
            (false, _) | (true, true) => "⚠️",
            (true, false) => "✅",
        };
        let told = inline(&verdict(trial, rehearsal));
        let _ = writeln!(text, "{mark} **{told}**{}\n", as_before(&rehearsal.trials, at));
        for diagnostic in new_reasons(&rehearsal.trials, at) {
            let _ = writeln!(text, "> {}\n", inline(&diagnostic.message));
        }
    }
    if let Some(first) = rehearsal.trials.first() {
        let _ = writeln!(text, "### What it does: {}\n", done(first));
        let lines: Vec<String> =
            first.impact.changes.iter().filter(|change| shown(change, &first.start)).map(change_line).collect();
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(|line| fenced(line)).collect();
            let _ = writeln!(text, "```diff\n{}\n```\n", lines.join("\n"));
        }
        for restart in &first.impact.restarts {
            let low = restart.lowest_ready.map(|ready| format!(", down to {ready} ready")).unwrap_or_default();
            let _ = writeln!(
                text,
                "- ↻ {} restarts ({} pods{low})",
                code(&format!("{}/{}", restart.object.gvk.kind, restart.object.name)),
                restart.pods
            );
        }
        for loss in &first.impact.losses {
            let _ = writeln!(
                text,
                "- ⚠️ **lost** with {}: {}",
                code(&format!("{}/{}", loss.object.gvk.kind, loss.object.name)),
                inline(&loss.what)
            );
        }
        text.push('\n');
    }
    text.push_str(&findings_markdown(&told_apart(rehearsal)));
    text.push_str(&old_sins_markdown(&rehearsal.known, shown_findings));
    for NotChecked { what, why, .. } in &rehearsal.not_checked {
        let _ = writeln!(text, "- ⚠️ not checked: {}: {}", inline(what), inline(why));
    }
    if !rehearsal.not_simulated.is_empty() {
        text.push_str("\n<details><summary>What could not be simulated</summary>\n\n");
        for note in &rehearsal.not_simulated {
            let _ = writeln!(text, "- {}", inline(note));
        }
        text.push_str("\n</details>\n");
    }
    text
}
