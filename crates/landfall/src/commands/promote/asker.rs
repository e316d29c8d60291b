//! Who asks: the person whom the forge knows by the token, where there is one; else whom the environment names.

use landfall_host::Failure;
use landfall_project::Who;

use crate::commands::write_back::{OF_FORGES, WriteBackArgs, actor};
use crate::context::Context;

/// The one who asks. What the environment names is what somebody says of themselves, and proves nothing; a forge that does not
/// answer, or whose token is a machine's, says no more than that.
///
/// # Errors
/// `--forge` names none.
pub(super) async fn who(context: &Context, back: &WriteBackArgs, address: &str) -> Result<Who, Failure> {
    let Some(forge) = back.client(context, address)? else { return Ok(named(context)) };
    Ok(forge.account().await.ok().flatten().map_or_else(|| named(context), Who::AtForge))
}

/// Whom the environment names: a forge's pipeline by the account's name, somebody's own machine by the name that they have there.
pub(super) fn named(context: &Context) -> Who {
    let said = OF_FORGES.iter().find_map(|name| context.host.env.get(name).filter(|name| !name.is_empty()));
    said.map_or_else(|| Who::Here(actor(context)), |login| Who::AtForge(login.to_owned()))
}
