//! What the agent says to a server and hears from it, in Landfall's own protocol or the existing gateway's.

use landfall_fleet::legacy::{self, Connectivity, Intent, Register, Registered};
use landfall_fleet::protocol::{self, CheckIn, Direction, Enroll, Enrolled};

use crate::http::{Http, NoAnswer};
use crate::trusted::Shelf;

/// The longest answer that is read, in bytes.
const ANSWER: u64 = 256 * 1024;
/// An enrollment brings a root of keys.
const ENROLLED: u64 = 2 << 20;

/// A server, and who speaks to it.
pub(crate) struct Server<'a> {
    pub(crate) http: &'a Http,
    pub(crate) address: &'a str,
    pub(crate) credential: &'a str,
}

impl Server<'_> {
    /// Says how the edge is.
    pub(crate) fn check_in(&self, said: &CheckIn) -> Result<Direction, NoAnswer> {
        self.http.post(&format!("{}{}", self.address, protocol::CHECK_IN), Some(self.credential), said, ANSWER)
    }

    /// The same, to the existing gateway.
    pub(crate) fn connectivity(&self, said: &Connectivity) -> Result<Intent, NoAnswer> {
        self.http.post(&format!("{}{}", self.address, legacy::CONNECTIVITY), Some(self.credential), said, ANSWER)
    }
}

impl Shelf for Server<'_> {
    fn file(&mut self, name: &str, longest: u64) -> Result<Option<Vec<u8>>, String> {
        let address = format!("{}{}{name}", self.address, protocol::METADATA);
        self.http.get(&address, Some(self.credential), longest).map_err(|why| why.to_string())
    }
}

/// Enrolls in Landfall's own protocol.
pub(crate) fn enroll(http: &Http, server: &str, said: &Enroll) -> Result<Enrolled, NoAnswer> {
    http.post(&format!("{server}{}", protocol::ENROLL), None, said, ENROLLED)
}

/// Enrolls with the existing gateway.
pub(crate) fn register(http: &Http, server: &str, token: &str, said: &Register) -> Result<Registered, NoAnswer> {
    http.post(&format!("{server}{}", legacy::REGISTER), Some(token), said, ANSWER)
}
