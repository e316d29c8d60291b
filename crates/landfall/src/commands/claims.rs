//! Claims for volumes that would be deleted: what they hold nobody brings back, so somebody says yes to that, whoever's the
//! cluster is.

use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Failure, Permit, Place};

use crate::consent::{self, Question};
use crate::context::Context;

/// Whether all that was told is which claims would go.
pub(crate) fn are_all(told: &[Diagnostic]) -> bool {
    !told.is_empty() && told.iter().all(|it| it.code == code::CLAIM_GOES)
}

/// Gets the yes for claims that would go; `--yes` never comes here.
///
/// # Errors
/// No yes was given; each claim is named.
pub(crate) async fn confirm(context: &Context, place: &Place, told: Vec<Diagnostic>) -> Result<(), Failure> {
    if context.ui.can_prompt() {
        told.iter().for_each(|claim| context.ui.status(&claim.message));
    }
    let permit = match place.permit(Act::Remove) {
        Permit::Given => Permit::of_owner(place.cluster.shown()),
        asks @ Permit::Asks(_) => asks,
    };
    let claims = if told.len() == 1 { "a claim".to_owned() } else { format!("{} claims", told.len()) };
    let asked = consent::given(context, &permit, || Question {
        yes: false,
        ask: format!("Delete {claims} with what is kept there"),
        deed: format!("deleting {claims} with what is kept there"),
        undone: "nothing was deleted",
        instead: Some("keep it by the annotation `helm.sh/resource-policy: keep`"),
    })
    .await;
    asked.map_err(|mut failure| {
        failure.diagnostics.splice(0..0, told);
        failure
    })
}
