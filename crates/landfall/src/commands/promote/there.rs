//! How a server sees what something is promoted from, where its cluster cannot be looked at from here.

use landfall_delivery::{Door, Unit};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_server::api::{Asked, ListQuery, Listing};

use crate::commands::books::Books;

/// Sees that a server finds each Application of a place's environment as git says and well: what was written down of it counts as long
/// as that is so.
///
/// # Errors
/// One of them is not, the server does not know it, or there is something that no server compares.
pub(super) async fn look(books: &Books, from: &Place, units: &[Unit]) -> Result<(), Failure> {
    let environment = from.environment.clone().unwrap_or_default();
    let mut refused = Vec::new();
    for unit in units {
        let Door::Application(bound) = &unit.door else {
            let why = format!("the release {} of {environment} cannot be looked at from here", unit.name);
            refused.push(unseen(why));
            continue;
        };
        let (namespace, name) = (&bound.application.namespace, &bound.application.name);
        let query = ListQuery { name: Some(name.clone()), namespace: Some(namespace.clone()), ..ListQuery::default() };
        let found: Listing = books.ask(Asked::List(query)).await?;
        match found.items.iter().find(|line| line.name == *name && line.namespace == *namespace) {
            None => {
                let why = format!("the server shows no Application {namespace}/{name} of {environment}");
                refused.push(unseen(why));
            }
            Some(line) if (line.sync.as_str(), line.health.as_str()) != ("Synced", "Healthy") => {
                let text =
                    format!("{namespace}/{name} of {environment} is {} and {} at the server", line.sync, line.health);
                refused.push(
                    Diagnostic::refused(code::NOT_WELL, text)
                        .note("what was seen before says nothing of what runs there now; nothing was promoted")
                        .help(format!("what is in its way: landfall app explain {namespace}/{name} --server URL")),
                );
            }
            Some(_) => {}
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::from(refused)) }
}

/// That something can be looked at by nobody.
fn unseen(text: String) -> Diagnostic {
    Diagnostic::refused(code::NOT_WELL, text)
        .note("its embedded cluster is kept elsewhere; nothing was promoted")
        .help("promote where its cluster is kept, or take what was written down: --recorded")
}
