//! What could be seen of a pod that did not do its work.

use landfall_diag::Diagnostic;

/// A diagnostic with what could be seen of a pod that did not do its work: where it stands, and its last log.
pub(crate) fn with_evidence(mut diagnostic: Diagnostic, evidence: &landfall_cluster::Evidence) -> Diagnostic {
    if let Some(pod) = &evidence.pod {
        let container = evidence.container.as_deref().unwrap_or("-");
        diagnostic =
            diagnostic.note(format!("pod {pod}, container {container}: {} {}", evidence.reason, evidence.message));
    }
    if !evidence.log.is_empty() {
        let which = if evidence.previous { "log before its last restart" } else { "its last log" };
        diagnostic = diagnostic.note(format!("{which}:\n{}", evidence.log.join("\n")));
    }
    diagnostic
}
