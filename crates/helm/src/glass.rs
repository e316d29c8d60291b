//! A release that an Application delivers is not changed directly, unless somebody says why: that is written down before
//! it is done, and announced.

use std::io::Write;

use landfall_delivery::{annotate_application, managers_of};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_store::{Audit, AuditEntry};
use serde_json::json;

use super::Stop;
use super::flags::{Kind, Spec, Support, flag};
use super::session::Session;

/// The annotation by which everybody who looks at an Application knows of it; the server announces it.
const ANNOTATION: &str = "landfall.dev/break-glass";

/// The flag of verbs that change a release.
pub(super) const GLASS: &[Spec] = &[flag(
    "break-glass",
    Kind::Text,
    Support::Works,
    "change a release that an Application delivers, for this reason, which is audited and announced",
)];

/// A change past an Application, in the audit log.
pub(super) struct Broken {
    audit: Audit,
    number: i64,
}

impl Broken {
    /// Writes down how it has ended.
    pub(super) async fn end<T>(self, ended: &Result<T, Stop>) {
        let outcome = if ended.is_ok() { "done" } else { "failed" };
        if let Err(error) = self.audit.end(self.number, outcome).await {
            let _unheard = writeln!(landfall_terminal::err(), "WARNING: the audit log: {error}");
        }
    }
}

/// Refuses to change a release that an Application delivers; with a reason it is written down and announced first.
pub(super) async fn guard(session: &Session<'_>, name: &str, deed: &str) -> Result<Option<Broken>, Stop> {
    let namespace = session.releases.namespace();
    let managers = managers_of(session.cluster(), namespace, name).await;
    let managers = managers.map_err(|error| Stop::said(error.to_string(), error.diagnose()))?;
    let Some(first) = managers.first() else { return Ok(None) };
    let shown = format!("{}/{}", first.namespace.as_deref().unwrap_or_default(), first.name);
    let Some(reason) = session.flags.text("break-glass").map(str::trim).filter(|reason| !reason.is_empty()) else {
        let diagnostic = Diagnostic::refused(
            code::MANAGED_RELEASE,
            format!("the release {name} in {namespace} is delivered by the Application {shown}"),
        );
        return Err(Stop::Refused(vec![
            diagnostic
                .note("what is changed here is not in git, and the next sync takes it back")
                .help("commit the change; in an emergency --break-glass REASON, which is audited and announced"),
        ]));
    };
    let now = jiff::Timestamp::now();
    let at = landfall_object::whole_second(now).to_string();
    let by = session.world.env("USER").filter(|name| !name.is_empty()).unwrap_or_else(|| "somebody".to_owned());
    let deed = format!("{deed} of release {name}");
    let unaudited = |why: String| {
        let text = "the audit log cannot be written; nothing was changed";
        Stop::Refused(vec![Diagnostic::error(code::UNAUDITED, text).note(why)])
    };
    let store = session.reached.journals.audit().await.map_err(unaudited)?;
    let entry = AuditEntry {
        at: at.clone(),
        actor: by.clone(),
        action: "release.break-glass".to_owned(),
        target: format!("{namespace}/{name}"),
        detail: json!({"deed": deed, "reason": reason, "application": shown}),
    };
    let number = store.audit.begin(&entry).await.map_err(|error| unaudited(error.to_string()))?;
    let told = json!({"by": by, "at": at, "deed": deed, "reason": reason}).to_string();
    for manager in &managers {
        if let Err(error) = annotate_application(session.cluster(), manager, ANNOTATION, &told).await {
            // What nobody would hear of is not done.
            let _ended = store.audit.end(number, "refused: it could not be announced").await;
            return Err(Stop::said(error.to_string(), error.diagnose()));
        }
    }
    writeln!(
        landfall_terminal::err(),
        "WARNING: past the Application {shown}: {reason}; this is audited and announced"
    )?;
    Ok(Some(Broken { audit: store.audit.clone(), number }))
}
