//! Tables of facts in documents: as they are, and written anew with `--fix docs`.

use landfall_diag::{Diagnostic, code};
use landfall_doctor::{Area, Observation};
use landfall_host::{Failure, Permit};
use landfall_rules::{FactsBlock, Subject, facts_blocks, facts_table, rule, with_facts};

use super::Sick;

/// What the documents say, once they have been mended if that is wanted.
pub(super) async fn look(sick: &Sick<'_>, subject: &Subject<'_>) -> Result<Vec<Observation>, Failure> {
    let source = &sick.place.target.source;
    let name = subject.environment.map(|(name, _)| name);
    let table = facts_table(subject.units);
    let mut seen = Vec::new();
    for block in facts_blocks(source) {
        let what = format!("{}:{}", block.place.file, block.place.line);
        if block.environment.as_deref().is_some_and(|about| Some(about) != name) {
            let about = block.environment.unwrap_or_default();
            seen.push(Observation::told(Area::Docs, what, format!("is about {about}")));
            continue;
        }
        let says_so = block.body.trim() == table.trim();
        if !says_so && sick.args.fix.as_deref() == Some("docs") {
            write(sick, &block, &table).await?;
            seen.push(Observation::fine(Area::Docs, what, "was written anew"));
        } else if says_so {
            seen.push(Observation::fine(Area::Docs, what, "says what is delivered"));
        } else if let Some(rule) = rule("LF159") {
            let wrong = "does not say what is delivered";
            let cause = "whoever follows the document does the wrong thing";
            let observation = Observation::wrong(Area::Docs, rule, rule.severity, what, wrong, cause);
            seen.push(observation.help("landfall doctor docs --fix docs"));
        }
    }
    if seen.is_empty() {
        let marks = "no document holds `<!-- landfall facts -->` and `<!-- /landfall facts -->`";
        seen.push(Observation::told(Area::Docs, "documents", marks));
    }
    Ok(seen)
}

/// Writes the table into the document; only with consent.
async fn write(sick: &Sick<'_>, block: &FactsBlock, table: &str) -> Result<(), Failure> {
    let file = &block.place.file;
    let Some(root) = sick.place.target.source.directory_on_disk() else {
        let text = format!("{file} was not written: it is read from a commit");
        return Err(Failure::from(
            Diagnostic::error(code::BAD_DOCTOR_ARGUMENT, text).help("run it in the working tree"),
        ));
    };
    sick.context.ui.status(&format!("to be mended: {file}, the table at line {}", block.place.line));
    sick.agreed(&Permit::of_owner(file), format!("Write {file}"), format!("writing {file}")).await?;
    let path = root.join(file);
    let failed = |error: std::io::Error| {
        Failure::from(
            Diagnostic::error(code::DOCUMENTS_UNWRITTEN, format!("{file} cannot be written")).note(error.to_string()),
        )
    };
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    std::fs::write(&path, with_facts(&text, block.place.line, table)).map_err(failed)
}
