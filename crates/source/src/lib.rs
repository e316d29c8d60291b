//! What desired state is fetched from: directories, git trees read straight from objects, archives, remotes.
//!
//! ```text
//! directory ─┐
//! commit    ─┼─► SourceTree ── read(path), directory(path) ─► landfall_chart::Tree (in memory)
//! archive   ─┘        └─ revision: <sha>, <sha>+dirty.<8 hex>, none+<8 hex>
//!
//! repositories.yaml ─► RepositoryEntry ── fetch_index ─► Index ── find(chart, version) ─► IndexEntry ─► archive, checked
//! Account (an address, a login) ─► Accounts ── remote(url) ─► Mirror ── references, commit ─► SourceTree
//! oci://host/path ─► Reference ── Registry::choose, pull ─► archive, checked
//! Reference + digest ── Registry::retag, signed, attested ─► the same image under another tag; who vouches for it
//! ForgeRepository ── ForgeClient::propose, say, protection ─► a pull request, a status, whether a branch is guarded
//! GitWriter ── write(remote, Write: branch, paths, change) ─► a commit on the branch's tip, or why there is none
//! a forge's request + HookSecret ── Hook::read ─► Hook: a push to which repository, a ping, or nothing of ours
//! archive + .prov + Keyring ── verify_archive ─► Verification: who signed it
//! ```
//!
//! What waits for a network, a server or another program is an `async fn` whose future is `Send`, and is given the process's
//! [`Network`]; what keeps a processor or a disk busy meanwhile goes [`aside`]. Reading a directory, a repository's objects, a
//! file of Helm's or an archive that is there waits for nobody and is a plain function: whoever shares a runtime with
//! others calls it [`aside`].
//!
//! Invariants: nothing is checked out and nothing is executed; a path never leaves its tree, symbolic links
//! included; the same content has the same revision.

mod access;
mod account;
mod address;
mod archive;
mod aside;
mod blame;
mod bounded;
mod certificate;
mod changes;
mod charts;
mod error;
mod forge;
mod git;
mod github_app;
mod http;
mod network;
mod openpgp;
mod path;
mod private_file;
mod program;
mod provenance;
mod reach;
mod reads;
mod refs;
mod registry;
mod remote;
mod renamed;
mod repository;
mod repository_handle;
mod revision;
mod schemas;
mod source_tree;
mod surroundings;
mod tracked;
mod vendored;
mod webhook;
mod worktree;
mod writer;

pub use access::{Access, CertificateCheck, CredentialScope, PATIENCE, Redirects};
pub use account::{Account, Accounts, GitRemote, Login, Reach, Transport, Trust};
pub use address::{host_of, same_url};
pub use archive::{MAX_PACKED, read_archive};
pub use aside::{Broken, aside};
pub use blame::{FileHistory, FileVersion, LineCommit, Lineage};
pub use bounded::read_bounded;
pub use certificate::{Handshake, ServedCertificate, handshake};
pub use changes::{CommitChanges, FileChange};
pub use charts::{FetchedChart, RemoteCharts};
pub use error::SourceError;
pub use forge::{
    CommitStatus, ForgeApi, ForgeClient, ForgeRepository, ForgeRequest, LONGEST_BODY, Proposal, Proposed, Protection,
    RequestState, Review, StatusState,
};
pub use github_app::GithubApp;
pub use http::{HttpClient, Reply, resolve_url};
pub use landfall_diag::is_mutant;
pub use network::Network;
pub use openpgp::{KeyOwner, Keyring, OpenPgpError, SignedText, Signer};
pub use path::within;
pub use private_file::{make_private_directory, private_options, write_new_private};
pub use program::{Ended, Environment, Order, ProgramError, Refusal, find_program};
pub use provenance::{Verification, provenance_text, verify_archive};
pub use reach::NetworkReach;
pub use reads::ReadSet;
pub use refs::{RefsMark, RefsPlace, is_tag};
pub use registry::{
    Attestation, BadKey, CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE, ChartUpload, Credential, Credentials, ImageDetails,
    ImageState, PROVENANCE_MEDIA_TYPE, PulledChart, Reference, Registry, Retagged, Scheme, Signed, VerifyingKey,
};
pub use remote::{Fetched, Mirror, References, RemoteRef, fetch_repository, repository_key};
pub use repository::{
    FetchedIndex, Index, IndexEntry, RepositoryEntry, RepositoryFile, cached_index, charts_file, fetch_archive,
    fetch_index, find_in_repository, index_file, index_json, index_of_archives, index_yaml, join_url,
};
pub use revision::Revision;
pub use schemas::{schema_document, schema_document_if_reached};
pub use source_tree::SourceTree;
pub use surroundings::{Surroundings, noticed, surroundings, surroundings_for_show};
pub use tracked::{Tracked, tracked};
pub use vendored::lend_vendored;
pub use webhook::{Hook, HookSecret, NotSigned, Pushed};
pub use writer::{
    AllowedPaths, Builds, CHANGE_TRAILER, Carried, Carry, Change, Edited, Edits, GitWriter, Landing, Person, Reads,
    Signing, Write, WriteError,
};
