//! Who asks: the person whom the forge knows by the token, where there is one; else whom the environment names.

use landfall_host::Failure;

use crate::commands::write_back::{WriteBackArgs, actor};
use crate::context::Context;

/// The one who asks. What the environment names is what somebody says of themselves, and proves nothing; a forge that does not
/// answer, or whose token is a machine's, says no more than that.
///
/// # Errors
/// `--forge` names none.
pub(super) async fn who(context: &Context, back: &WriteBackArgs, address: &str) -> Result<String, Failure> {
    let Some(forge) = back.client(context, address)? else { return Ok(actor(context)) };
    Ok(forge.account().await.ok().flatten().unwrap_or_else(|| actor(context)))
}
