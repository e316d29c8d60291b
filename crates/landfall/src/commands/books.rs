//! The book of published tags, evidence, what is held back and promotions: a server's, or that of the state directory.

use clap::Args;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Failure, Kept, Lock, Place, StateDir};
use landfall_promote::Moved;
use landfall_server::api::{Asked, Book, Client, LedgerLine, Lines, ServerAccess};
use landfall_store::{Audit, Location, Store};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::commands::server_token;
use crate::commands::write_back::actor;
use crate::context::Context;

/// The store's file in a state directory.
const STORE: &str = "store.db";
/// The file in which the state directory kept digests of tags before there was a book.
const OLD_LEDGER: &str = "tags.json";
/// Largest such file that is read, in bytes.
const LARGEST: u64 = 64 << 20;
/// Lines that are written at once.
const AT_ONCE: usize = 500;

/// Whose book it is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct BooksArgs {
    /// The address of a server whose book is read and written (default: the one that runs here; else the state directory's)
    #[arg(long, env = "LANDFALL_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The file with the token for --server (default: the variable LANDFALL_TOKEN)
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) token_file: Option<String>,
    /// Authorities to trust instead of the system's, for --server
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) ca_file: Option<String>,
}

/// What is said where the state directory's own stays and its embedded cluster goes.
pub(crate) const STAYS: &str = "the book of the system stays in the state directory: digests of tags, evidence, what is held back, promotions, audit";

/// Forgets the embedded cluster of a state directory; gives what stays of that. The book is of every environment of the system, wherever
/// that is: one that says something stays, and one that cannot be read may say something. On a full disk nothing is opened that has to
/// write: what goes makes room, and it is looked at once more.
///
/// # Errors
/// Something cannot be removed.
pub(crate) async fn forget(context: &Context, state: &StateDir, held: Lock) -> Result<Kept, Failure> {
    let says = book_says(context, state).await;
    let kept = if matches!(says, Ok(false)) { Kept::Nothing } else { Kept::Book };
    context.host.forget(state, held, kept)?;
    if says.is_ok() || !matches!(book_says(context, state).await, Ok(false)) {
        return Ok(kept);
    }
    match state.try_lock().map_err(Failure::from)? {
        Some(held) => context.host.forget(state, held, Kept::Nothing).map(|()| Kept::Nothing),
        None => Ok(kept),
    }
}

/// Whether a state directory's book says anything.
async fn book_says(context: &Context, state: &StateDir) -> Result<bool, Failure> {
    let file = state.file(STORE);
    if state.file(OLD_LEDGER).exists() {
        return Ok(true);
    }
    if !file.exists() || landfall_store::is_unmade(&file) {
        return Ok(false);
    }
    let store = Store::open(Location::File(file)).await.map_err(|error| Failure::from(error.diagnose()))?;
    let books = Books::of(store, context);
    let says = says(&books).await;
    books.close().await;
    says
}

/// The system of a place, else the one in whose directory somebody stands.
fn system_of(context: &Context, place: &Place) -> Option<String> {
    place.system().or_else(|| context.host.system())
}

/// Whether a book says anything of images.
async fn says(books: &Books) -> Result<bool, Failure> {
    for asked in [Asked::Ledger(None, Some(1)), Asked::Holds(Lines::most(1)), Asked::Promotions(None, Lines::most(1))] {
        let lines: Vec<Value> = books.ask(asked).await?;
        if !lines.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a book is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// To look into it.
    Reads,
    /// To write into it, too.
    Writes,
}

/// A state directory's book, and who writes into it.
pub(crate) struct Here {
    book: Book,
    store: Store,
    actor: String,
}

/// Whose an open book is.
enum Owner {
    /// A server's.
    Server(Box<Client>),
    /// That of a state directory.
    Here(Box<Here>),
}

/// An open book, as far as it is about one system where somebody stands in one: a server keeps that of several, whose environments may have
/// the same names.
pub(crate) struct Books {
    owner: Owner,
    /// The system ([`landfall_delivery::system_key`]).
    system: Option<String>,
}

impl BooksArgs {
    /// Opens it.
    ///
    /// # Errors
    /// No token for the server, or a state directory that cannot be written.
    pub(crate) async fn open(&self, context: &Context, place: &Place, reads: Use) -> Result<Books, Failure> {
        let host = &context.host;
        let reached = match &self.server {
            Some(address) => {
                Some(server_token::access(context, address, self.token_file.as_deref(), self.ca_file.as_deref()).await?)
            }
            None => place.state.serving().map(|serving| ServerAccess {
                address: format!("http://{}", serving.address),
                token: serving.token,
                authority: None,
            }),
        };
        match reached {
            Some(access) => {
                let owner = Owner::Server(Box::new(Client::new(&host.network, access)?));
                Ok(Books { owner, system: system_of(context, place) })
            }
            // What is not there says nothing, and is not made to be looked at.
            None if reads == Use::Reads && !place.state.file(STORE).exists() => {
                let store = Store::open(Location::Memory).await.map_err(|error| Failure::from(error.diagnose()))?;
                Ok(Books { system: system_of(context, place), ..Books::of(store, context) })
            }
            None => Books::here(context, place).await,
        }
    }
}

impl Books {
    fn of(store: Store, context: &Context) -> Self {
        let here = Here { book: Book::new(store.promotions.clone()), store, actor: actor(context) };
        Books { owner: Owner::Here(Box::new(here)), system: None }
    }

    /// That of a state directory.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub(crate) async fn here(context: &Context, place: &Place) -> Result<Books, Failure> {
        place.state.create().map_err(Failure::from)?;
        let location = Location::File(place.state.file(STORE));
        let store = Store::open(location).await.map_err(|error| Failure::from(error.diagnose()))?;
        let books = Books { system: system_of(context, place), ..Books::of(store, context) };
        books.take_over(place).await?;
        Ok(books)
    }

    /// The same, written in by whom a forge knows: of a state directory's own it is that one's name that is put down. A server knows whom
    /// its token belongs to.
    pub(crate) fn written_by(mut self, who: &str) -> Self {
        if let Owner::Here(here) = &mut self.owner {
            who.clone_into(&mut here.actor);
        }
        self
    }

    /// The same, of that system, whatever the directory is called in which somebody stands.
    pub(crate) fn about(mut self, system: Option<String>) -> Self {
        self.system = system.or(self.system);
        self
    }

    /// The audit log beside it, where it is the state directory's own.
    pub(crate) fn audit(&self) -> Option<&Audit> {
        match &self.owner {
            Owner::Here(here) => Some(&here.store.audit),
            Owner::Server(_) => None,
        }
    }

    /// Whether it is a server's.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.owner, Owner::Server(_))
    }

    /// The system that it is asked about; all of them where nobody stands in one.
    pub(crate) fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Asks it.
    ///
    /// # Errors
    /// The server does not answer or refuses, or the book cannot be read.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, asked: Asked) -> Result<T, Failure> {
        let asked = self.of_system(asked);
        let answer: Result<Value, Vec<Diagnostic>> = match &self.owner {
            Owner::Server(client) => client.answer(&asked).await,
            Owner::Here(here) => {
                let now = landfall_object::whole_second(jiff::Timestamp::now()).to_string();
                here.book.answer(&here.actor, &now, &asked).await.unwrap_or(Ok(Value::Null))
            }
        };
        serde_json::from_value(answer?).map_err(|error| {
            Failure::from(
                Diagnostic::error(code::STRANGE_ANSWER, "the answer is not what this version knows")
                    .note(error.to_string()),
            )
        })
    }

    /// The same, of the system alone: nothing else counts there, and nothing of it counts elsewhere.
    fn of_system(&self, mut asked: Asked) -> Asked {
        let Some(system) = &self.system else { return asked };
        match &mut asked {
            Asked::Evidence(_, lines) | Asked::Holds(lines) | Asked::Promotions(_, lines) => {
                lines.system.get_or_insert_with(|| system.clone());
            }
            Asked::Witness(lines) => lines.iter_mut().for_each(|line| line.system.clone_from(system)),
            Asked::Hold(wish) => wish.system.clone_from(system),
            Asked::Promote(note) => note.system.clone_from(system),
            _ => {}
        }
        asked
    }

    /// Notes digests of published tags.
    ///
    /// # Errors
    /// One of them had another digest before: a published tag never moves.
    pub(crate) async fn publish(&self, lines: Vec<LedgerLine>) -> Result<(), Failure> {
        for part in lines.chunks(AT_ONCE) {
            let known: Vec<LedgerLine> = self.ask(Asked::Publish(part.to_vec())).await?;
            for (now, known) in part.iter().zip(known) {
                if known.digest != now.digest {
                    let image = format!("{}:{}", now.image, now.tag);
                    let moved = Moved { image, before: known.digest, since: known.at, now: now.digest.clone() };
                    return Err(Failure::from(moved.diagnose().note("nothing was written")));
                }
            }
        }
        Ok(())
    }

    /// Takes over what was kept before there was a book.
    async fn take_over(&self, place: &Place) -> Result<(), Failure> {
        let file = place.state.file(OLD_LEDGER);
        let Ok(bytes) = landfall_source::read_bounded(&file, LARGEST) else { return Ok(()) };
        let old: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let line = |(image, entry): (&String, &Value)| {
            let (repository, tag) = image.rsplit_once(':')?;
            let text = |key: &str| entry[key].as_str().map(str::to_owned);
            Some(LedgerLine {
                image: repository.to_owned(),
                tag: tag.to_owned(),
                digest: text("digest")?,
                at: text("at").unwrap_or_default(),
                revision: text("commit"),
            })
        };
        let lines: Vec<LedgerLine> = old["entries"].as_object().into_iter().flatten().filter_map(line).collect();
        for part in lines.chunks(AT_ONCE) {
            let _known: Vec<LedgerLine> = self.ask(Asked::Publish(part.to_vec())).await?;
        }
        // What cannot be removed is taken over again, and says the same.
        let _left = std::fs::remove_file(&file);
        Ok(())
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        if let Owner::Here(here) = self.owner {
            here.store.close().await;
        }
    }
}
