use std::fmt::Write;

use landfall_diag::{Finding, Spot, Witness};

use crate::examine::Examination;
use crate::report::{VALUES_SHOWN, counted, place_text};

/// Findings for people: what is wrong, where, why, what to do.
pub fn findings_text(examination: &Examination) -> String {
    let mut text = String::new();
    let (waived, open): (Vec<&Finding>, Vec<&Finding>) =
        examination.findings.iter().partition(|finding| finding.waived.is_some());
    for finding in open {
        one(&mut text, finding);
        text.push('\n');
    }
    for finding in waived {
        if let Some(waiver) = &finding.waived {
            let _ = writeln!(
                text,
                "waived[{}]: {} (until {}: {}; {})",
                finding.rule,
                finding.message,
                waiver.until,
                waiver.reason,
                place_text(&waiver.place)
            );
        }
    }
    for idle in &examination.idle_waivers {
        let _ = writeln!(
            text,
            "info: the waiver of {} accepts nothing: {} ({})",
            idle.rule,
            idle.why,
            place_text(&idle.place)
        );
    }
    let _ = writeln!(text, "{}", counted(examination));
    text
}

fn one(text: &mut String, finding: &Finding) {
    // Writing into a text cannot fail.
    let _ = writeln!(text, "{}[{}]: {}", finding.severity.word(), finding.rule, finding.message);
    if let Some(spot) = finding.spot() {
        // A file stands in its own line.
        if spot.object.is_some() || spot.file.is_none() {
            let _ = writeln!(text, "  where     {}", where_words(spot));
        }
        if let Some(field) = &spot.field {
            let _ = writeln!(text, "  field     {field}");
        }
        // A whole container is written by a dozen lines; the first ones tell where to look.
        let (shown, more) = spot.values.split_at(spot.values.len().min(VALUES_SHOWN));
        for origin in shown {
            let commit = origin.commit.as_ref().map(|commit| {
                let short = commit.sha.get(..7).unwrap_or(&commit.sha);
                format!("  ({short} {})", commit.subject)
            });
            let _ = writeln!(text, "  values    {}{}", origin.text, commit.unwrap_or_default());
        }
        if !more.is_empty() {
            let _ = writeln!(text, "            and {} lines more", more.len());
        }
        for place in spot.template.iter().chain(&spot.file) {
            let word = if spot.template.is_some() { "template" } else { "file    " };
            let _ = writeln!(text, "  {word}  {}", place_text(place));
            if let Some(source) = &place.source {
                let _ = writeln!(text, "            {} | {}", place.line, source.trim_end());
            }
        }
    }
    let also: Vec<String> = finding.spots.iter().skip(1).map(where_words).collect();
    if !also.is_empty() {
        let mut also = also;
        also.dedup();
        let more = also.len().saturating_sub(5);
        also.truncate(5);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(text, "  also      {}{rest}", also.join("; "));
    }
    if !finding.cause.is_empty() {
        let _ = writeln!(text, "  why       {}", finding.cause);
    }
    match &finding.witness {
        Witness::Rule => {}
        Witness::Rehearsal => {
            let _ = writeln!(text, "  said by   the rehearsal (simulated)");
        }
        Witness::Api(name) => {
            let _ = writeln!(text, "  said by   {name}");
        }
    }
    let _ = writeln!(text, "  do        {}", finding.help);
}

fn where_words(spot: &Spot) -> String {
    let container = spot.container.as_deref().map(|name| format!(", container {name}")).unwrap_or_default();
    format!("{}{container}", spot.name())
}
