//! What is said of a promotion: refusals as diagnostics, a pull request's text, a commit's lines.

use landfall_diag::{Code, Diagnostic, code};
use landfall_host::Failure;
use landfall_promote::{GateRefusal, GateVerdict, PromotionRefusal, ReleasedImage, TagRefusal};
use landfall_server::UNMADE;

/// Why a promotion cannot be made at all.
pub(super) fn refused(refusal: &PromotionRefusal) -> Failure {
    let text = refusal.to_string();
    let refused = |code: Code| Failure::from(Diagnostic::refused(code, text.clone()).note("nothing was written"));
    match refusal {
        PromotionRefusal::Undeclared { .. } => Failure::usage(
            Diagnostic::error(code::NO_PROMOTION, text)
                .help("declare one under `promotion:` in landfall.yaml, on the branch that is delivered"),
        ),
        PromotionRefusal::NotAnOwner { .. } => refused(code::NOT_AN_OWNER),
        PromotionRefusal::NeverThere { .. } => refused(code::NEVER_THERE),
        PromotionRefusal::Unlooked { .. } => helped(refused(code::NOT_LOOKED_AT), "leave --unchecked out"),
        PromotionRefusal::Held { tag, .. } => {
            helped(refused(code::HELD_BACK), &format!("landfall hold --release {tag}"))
        }
        PromotionRefusal::Mixed { from, .. } => helped(
            refused(code::MIXED_VERSIONS),
            &format!("let {from} run one version of all: landfall images set TAG --env {from} --push"),
        ),
        PromotionRefusal::Tag(TagRefusal::OfChannel(_)) => helped(
            refused(code::BAD_TAG),
            "what was tested goes under its release's tag where the promotion says `version: strip-prerelease`",
        ),
        PromotionRefusal::Tag(_) => refused(code::BAD_TAG),
        PromotionRefusal::GoesBack { tag, to, .. } => helped(
            refused(code::GOES_BACK),
            &format!("going back is a hand's: landfall images set {tag} --env {to} --allow-older --push"),
        ),
    }
}

/// The same with what to do about it.
fn helped(mut failure: Failure, help: &str) -> Failure {
    let told = failure.diagnostics.pop().map(|it| it.help(help));
    failure.diagnostics.extend(told);
    failure
}

/// Each gate that is closed, in its own sentence.
pub(super) fn closed(verdicts: &[GateVerdict]) -> Vec<Diagnostic> {
    let one = |refusal: &GateRefusal| {
        let (code, help) = match refusal {
            GateRefusal::Held { tag, .. } => (code::HELD_BACK, Some(format!("landfall hold --release {tag}"))),
            GateRefusal::Untested { environment, why: Some(_), .. } => (
                code::NOT_TESTED,
                Some(format!("let it run there once, and look again: landfall smoke --env {environment}")),
            ),
            GateRefusal::Gone { environment, .. } | GateRefusal::Untested { environment, .. } => {
                // What a server has checked before its book knew the tag it checks again after its next sync.
                let up = format!("deliver it there first: landfall up --env {environment}");
                (code::NOT_TESTED, Some(format!("{up}; where a server keeps it: landfall app sync NAME")))
            }
            GateRefusal::Unhealthy { environment, .. } => {
                (code::NOT_WELL, Some(format!("landfall status --env {environment}")))
            }
            GateRefusal::CheckFailed { why, .. } if why.starts_with(UNMADE) => (
                code::NOT_WELL,
                Some("declare the answer under `simulate:`, or take it as seen with --allow-unsimulated".to_owned()),
            ),
            GateRefusal::CheckFailed { environment, .. }
            | GateRefusal::CheckMissing { environment, .. }
            | GateRefusal::CheckOtherwise { environment, .. } => {
                (code::NOT_WELL, Some(format!("landfall smoke --env {environment}")))
            }
            GateRefusal::CheckUnknown { .. } => (code::NOT_WELL, None),
            GateRefusal::NotSoaked { .. } => (code::NOT_SOAKED, None),
            GateRefusal::ReportMissing { .. } => {
                (code::REPORT_REFUSES, Some("hand it in with --sarif FILE".to_owned()))
            }
            GateRefusal::ReportFindings { .. } => (code::REPORT_REFUSES, None),
            GateRefusal::Unsigned { .. }
            | GateRefusal::SignedByAnother { .. }
            | GateRefusal::SignedOtherwise { .. }
            | GateRefusal::Unattested { .. } => (code::NOT_VOUCHED, None),
            GateRefusal::DataNotReady(_) => (code::DATA_NOT_READY, None),
        };
        let diagnostic = Diagnostic::refused(code, refusal.to_string()).note("nothing was written");
        help.into_iter().fold(diagnostic, Diagnostic::help)
    };
    verdicts.iter().filter_map(|verdict| verdict.refusal.as_ref()).map(one).collect()
}

/// What a pull request says.
pub(super) struct Request<'a> {
    pub(super) id: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) tag: &'a str,
    pub(super) images: &'a [ReleasedImage],
    pub(super) verdicts: &'a [GateVerdict],
    pub(super) owners: &'a [String],
    pub(super) commit: Option<&'a str>,
    pub(super) passes: bool,
    /// The rendered difference and what the rehearsal found, Markdown.
    pub(super) preview: &'a str,
}

impl Request<'_> {
    pub(super) fn title(&self) -> String {
        format!("{}: {}, as tested in {}", self.to, self.tag, self.from)
    }

    pub(super) fn body(&self) -> String {
        let mut text = format!("<!-- landfall:promotion={} -->\n", inline(self.id));
        text.push_str(&format!(
            "**{}** goes from {} to {}: the same images, under their release's tag. Nothing is built.\n\n",
            inline(self.tag),
            inline(self.from),
            inline(self.to)
        ));
        text.push_str("| image | tested as | released as | digest |\n|---|---|---|---|\n");
        for ReleasedImage { image, tag: released } in self.images {
            let cells = [&image.repository, &image.tag, released, &image.digest].map(|text| inline(text));
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        if let Some(commit) = self.commit {
            text.push_str(&format!("\nBuilt from {}.\n", inline(commit)));
        }
        text.push_str("\n### What was seen\n\n");
        for verdict in self.verdicts {
            text.push_str(&format!("- {}: {}\n", inline(&verdict.gate), inline(&verdict.said)));
        }
        let rehearsal = if self.passes { "would deliver" } else { "**would not deliver**" };
        text.push_str(&format!("\n### The rehearsal {rehearsal}\n\n"));
        if !self.owners.is_empty() {
            let owners: Vec<String> = self.owners.iter().map(|owner| inline(owner)).collect();
            text.push_str(&format!(
                "It wants a yes of {}; merging it delivers nothing where syncs are by hand.\n\n",
                owners.join(", ")
            ));
        }
        text.push_str(self.preview);
        text
    }
}

/// A foreign text within a line of Markdown: nothing of it is markup, mentions somebody or ends the line.
fn inline(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_control() || "\u{2028}\u{2029}".contains(c) { ' ' } else { c }).collect();
    let plain = plain.replace('`', "'").replace('|', "¦");
    if plain.is_empty() { String::new() } else { format!("`{plain}`") }
}

#[cfg(test)]
mod tests {
    use landfall_promote::TestedImage;

    use super::*;

    #[test]
    fn b5_nothing_foreign_is_markup_in_a_pull_request() {
        let evil = "x`\n\n## Approved\n@everyone | <img src=x> ![a](http://evil) -->";
        let verdicts = [GateVerdict { gate: evil.to_owned(), refusal: None, said: evil.to_owned() }];
        let image = TestedImage { repository: evil.to_owned(), tag: evil.to_owned(), digest: evil.to_owned() };
        let images = [ReleasedImage { image, tag: evil.to_owned() }];
        let request = Request {
            id: evil,
            from: evil,
            to: evil,
            tag: evil,
            images: &images,
            verdicts: &verdicts,
            owners: &[evil.to_owned()],
            commit: Some(evil),
            passes: true,
            preview: "",
        };
        let body = request.body();
        assert!(!body.lines().any(|line| line.starts_with("## ")), "{body}");
        for line in body.lines().filter(|line| line.contains("everyone")) {
            // Each piece stands between two backquotes: without those pieces nothing foreign is left.
            let outside: String = line.split('`').step_by(2).collect();
            assert!(!outside.contains("everyone") && !outside.contains("img") && !outside.contains("http"), "{line}");
        }
        assert!(
            body.lines().filter(|line| line.starts_with("| ")).all(|line| line.matches('|').count() == 5),
            "{body}"
        );
    }
}
