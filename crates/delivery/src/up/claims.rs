//! Claims for volumes that a delivery would delete, and with them what nobody can bring back.

use landfall_diag::{Diagnostic, code};
use landfall_engine::{Action, Plan};

/// What becomes of claims for volumes that are no longer delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Claims {
    /// They go with what they hold.
    #[default]
    Go,
    /// Somebody is to be asked: nothing is begun, and each is named by a [`code::CLAIM_GOES`].
    AskedFor,
}

impl Claims {
    /// Refuses plans that delete claims which somebody is to be asked for.
    ///
    /// # Errors
    /// Each of those claims.
    pub fn permit<'p>(self, plans: impl Iterator<Item = &'p Plan>) -> Result<(), Vec<Diagnostic>> {
        if self == Claims::Go {
            return Ok(());
        }
        let is_claim = |step: &&landfall_engine::Step| {
            let gvk = &step.key.gvk;
            step.action == Action::Delete && gvk.group.is_empty() && gvk.kind == "PersistentVolumeClaim"
        };
        let gone: Vec<Diagnostic> = plans
            .flat_map(Plan::steps)
            .filter(is_claim)
            .map(|step| {
                let name = format!("PersistentVolumeClaim/{}", step.key.name);
                Diagnostic::error(code::CLAIM_GOES, format!("{name} would be deleted, and what it holds with it"))
                    .note(step.why.clone())
            })
            .collect();
        if gone.is_empty() { Ok(()) } else { Err(gone) }
    }
}
