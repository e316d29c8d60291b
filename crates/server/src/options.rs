use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use landfall_apps::Semantics;
use landfall_host::Place;
use landfall_object::Object;
use landfall_source::HookSecret;
use landfall_store::DatabaseAddress;

use crate::accounts::IssuerOptions;
use crate::checks::DeclaredAt;
use crate::fleet::FleetOptions;
use crate::networks::Network;
use crate::news::Sinks;

/// What a server is asked for.
#[derive(Debug)]
pub struct Options {
    /// Which cluster, and where state lives.
    pub place: Place,
    /// Applications and projects that are put on the cluster first.
    pub objects: Vec<Object>,
    /// Where it listens.
    pub listen: Listen,
    /// Repositories that lie on this machine.
    pub repositories: Vec<StandInRepository>,
    /// What those targets declare of them.
    pub declared: Vec<DeclaredAt>,
    /// Whom news are told to.
    pub sinks: Sinks,
    /// What forges sign with; without one only unsigned webhooks are taken, if any.
    pub secrets: Vec<HookSecret>,
    /// Whether webhooks without a signature are let in.
    pub unsigned: UnsignedWebhooks,
    /// What becomes of the cluster's SealedSecrets.
    pub sealing: Sealing,
    /// Where kubeseal is answered; nowhere when absent.
    pub sealing_listen: Option<Listen>,
    /// Lines of a `policy.csv` that count instead of the ConfigMap's `argocd-rbac-cm`.
    pub policy: Option<String>,
    /// Below which path a proxy sends requests: `/landfall`, nothing where that is the root.
    pub root: String,
    /// Who else says who somebody is.
    pub issuer: Option<IssuerOptions>,
    /// Which CI jobs are let in, as their file declares it.
    pub ci_identities: Option<String>,
    /// Networks that are not public and that checks of repositories may ask.
    pub check_networks: Vec<Network>,
    /// The edge's server.
    pub fleet: FleetOptions,
    /// Whose meaning counts where ours knowingly differs from Argo CD's.
    pub semantics: Semantics,
    /// With whom it takes turns; with nobody when absent.
    pub replicas: Option<Replicas>,
}

/// How several servers share the Applications of a cluster.
#[derive(Debug, Clone)]
pub struct Replicas {
    /// What all of them keep journal, history and accounts in.
    pub database: DatabaseAddress,
    /// In how many parts the Applications are shared; each is kept by one of them.
    pub shards: u32,
    /// In which namespace they say who lives and who keeps what.
    pub namespace: String,
    /// What this one is called; what tells it from itself started again is added to it.
    pub name: String,
}

/// What becomes of the SealedSecrets of a cluster that is not the embedded one: that one opens them itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sealing {
    /// They are opened, while the original controller is not there.
    #[default]
    Kept,
    /// It is said what would be written; nothing is.
    Observed,
    /// They are left alone.
    Off,
}

/// Whether webhooks are let in that nobody has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnsignedWebhooks {
    /// None.
    #[default]
    Refused,
    /// They are: what they say is looked at now and then.
    Taken,
}

/// A text that is no way to treat SealedSecrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSealing;

impl std::fmt::Display for BadSealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one of keep, observe and off is wanted")
    }
}

impl std::error::Error for BadSealing {}

impl FromStr for Sealing {
    type Err = BadSealing;

    fn from_str(text: &str) -> Result<Self, BadSealing> {
        match text {
            "keep" => Ok(Sealing::Kept),
            "observe" => Ok(Sealing::Observed),
            "off" => Ok(Sealing::Off),
            _ => Err(BadSealing),
        }
    }
}

/// A directory whose commits stand in for a repository's.
#[derive(Debug, Clone)]
pub struct StandInRepository {
    /// The repository's address, as Applications name it.
    pub address: String,
    /// The directory: a bare repository, or one that is checked out.
    pub directory: PathBuf,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

/// The port where none is named.
const PORT: u16 = 8480;

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadListen;

impl std::fmt::Display for BadListen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an address is wanted, as 127.0.0.1:{PORT}, 0.0.0.0 or :{PORT}")
    }
}

impl std::error::Error for BadListen {}

impl Default for Listen {
    fn default() -> Self {
        Listen(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))
    }
}

impl FromStr for Listen {
    type Err = BadListen;

    /// `ADDRESS:PORT`, `ADDRESS`, or `:PORT` on loopback.
    fn from_str(text: &str) -> Result<Self, BadListen> {
        let loopback = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse::<u16>().ok()?)));
        let local = text.replacen("localhost", "127.0.0.1", 1);
        let whole = local.parse::<SocketAddr>().ok();
        let alone = || local.parse::<IpAddr>().ok().map(|address| SocketAddr::from((address, PORT)));
        let address = whole.or_else(alone).or_else(|| loopback(local.strip_prefix(':')?));
        address.map(Listen).ok_or(BadListen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_may_leave_its_port_or_host_out() {
        let read = |text: &str| text.parse::<Listen>().map(|listen| listen.0.to_string());
        assert_eq!(read("0.0.0.0:80").as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(read("localhost:0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(read("::1").as_deref(), Ok("[::1]:8480"));
        assert_eq!(read(":90").as_deref(), Ok("127.0.0.1:90"));
        assert_eq!(read("somewhere"), Err(BadListen));
    }
}
