//! What is shown: the closing line, and the table between two marks of `docs/rehearse.md`.

use std::error::Error;
use std::fs;
use std::path::Path;

use super::case::Group;
use super::tool::Tool;
use super::{Evidence, Figures};

const PAGE: &str = "docs/rehearse.md";
const BEGIN: &str = "<!-- checkers: written by `conformance checkers` -->";
const END: &str = "<!-- /checkers -->";
/// How many fixes that only a peer tells stand on the page; the evidence has all.
const MOST: usize = 12;

/// The closing line.
pub(super) fn line(evidence: &Evidence) -> String {
    let mut said = format!("checkers: {} pairs, {} are no charts to render", evidence.planned, evidence.skipped);
    for (group, tools) in &evidence.groups {
        let figures = tools.iter().map(|(tool, it)| format!("{tool} {}", it.told)).collect::<Vec<_>>().join(", ");
        let of = tools.values().next().map_or(0, |it| it.cases);
        said.push_str(&format!("; {} ({of}): {figures}", words(*group)));
    }
    said.push_str(&format!("; {} fixes are told by a peer alone", evidence.only_peers.len()));
    said
}

fn words(group: Group) -> &'static str {
    match group {
        Group::Fixture => "fixtures of our rules",
        Group::Fault => "faults read in fixes",
        Group::Fix => "commits that say `fix`",
        Group::Ordinary => "ordinary commits",
    }
}

/// Writes the table where the page has its marks.
pub(super) fn update(root: &Path, evidence: &Evidence) -> Result<(), Box<dyn Error>> {
    let path = root.join(PAGE);
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no mark for the table")?;
    let (_, after) = rest.split_once(END).ok_or("the table's mark has no end")?;
    fs::write(path, format!("{before}{BEGIN}\n{}{END}{after}", table(evidence)))?;
    Ok(())
}

fn table(evidence: &Evidence) -> String {
    let groups: Vec<Group> = evidence.groups.keys().copied().collect();
    let mut out = String::from("| |");
    for group in &groups {
        let of = evidence.groups[group].values().next().map_or(0, |it: &Figures| it.cases);
        out.push_str(&format!(" {} ({of}) |", words(*group)));
    }
    out.push_str(" ms a look |\n|---|");
    out.push_str(&"---:|".repeat(groups.len() + 1));
    out.push('\n');
    for tool in Tool::ALL {
        out.push_str(&format!("| {tool} |"));
        let (mut sum, mut cases) = (0, 0);
        for group in &groups {
            let Some(it) = evidence.groups[group].get(&tool) else { continue };
            out.push_str(&format!(" {} told, {} red |", it.told, it.red));
            sum += it.milliseconds * it.cases as u128;
            cases += it.cases;
        }
        out.push_str(&format!(" {} |\n", sum / cases.max(1) as u128));
    }
    if !evidence.only_peers.is_empty() {
        out.push_str(&format!(
            "\nFixes of which a peer says something and Landfall nothing, {} in all:\n\n",
            evidence.only_peers.len()
        ));
        for it in evidence.only_peers.iter().take(MOST) {
            let says = it
                .says
                .iter()
                .map(|(tool, lines)| format!("{tool}: {}", lines.first().map_or("", String::as_str).replace('|', "/")))
                .collect::<Vec<_>>()
                .join("; ");
            out.push_str(&format!("- `{}`: {}\n", it.change, shortened(&says)));
        }
    }
    out
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(220).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_table_says_for_each_tool_what_it_told_of_how_many() {
        let figures = |told| Figures { cases: 4, told, red: 1, milliseconds: 20 };
        let tools = Tool::ALL.into_iter().enumerate().map(|(at, tool)| (tool, figures(at))).collect();
        let evidence = Evidence { planned: 4, groups: BTreeMap::from([(Group::Fault, tools)]), ..Evidence::default() };
        let table = table(&evidence);
        assert!(table.starts_with("| | faults read in fixes (4) | ms a look |\n|---|---:|---:|\n"), "{table}");
        assert!(table.contains("| kube-score | 2 told, 1 red | 20 |\n"), "{table}");
        assert!(line(&evidence).contains("faults read in fixes (4): `landfall rehearse` 0, `helm lint` 1"));
    }
}
