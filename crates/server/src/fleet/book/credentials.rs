//! Credentials as they are kept in memory, by the part of them that is no secret.

use std::collections::{HashMap, HashSet};

use landfall_fleet::{hex, unhex};
use landfall_store::CredentialRow;

/// Edges' credentials.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    by_prefix: HashMap<Box<str>, Kept>,
}

#[derive(Debug)]
struct Kept {
    edge: i64,
    created_at: i64,
    digest: Digest,
    /// Until when it is good, and since when it is not; most have neither.
    ends: Option<Box<Ends>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

#[derive(Debug)]
enum Digest {
    Bytes([u8; 32]),
    /// Another system's, which nothing matches; it stays as it was written.
    Other(Box<str>),
}

impl Kept {
    fn of(row: &CredentialRow) -> Self {
        let bytes: Option<[u8; 32]> = unhex(&row.digest).and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.filter(|it| hex(it) == row.digest);
        let ends = Ends { expires_at: row.expires_at, revoked_at: row.revoked_at };
        Kept {
            edge: row.edge,
            created_at: row.created_at,
            digest: bytes.map_or_else(|| Digest::Other(row.digest.as_str().into()), Digest::Bytes),
            ends: (ends.expires_at.is_some() || ends.revoked_at.is_some()).then(|| Box::new(ends)),
        }
    }

    fn row(&self, prefix: &str) -> CredentialRow {
        let ends = self.ends.as_deref().copied().unwrap_or_default();
        CredentialRow {
            prefix: prefix.to_owned(),
            edge: self.edge,
            digest: match &self.digest {
                Digest::Bytes(bytes) => hex(bytes),
                Digest::Other(text) => (&**text).into(),
            },
            created_at: self.created_at,
            expires_at: ends.expires_at,
            revoked_at: ends.revoked_at,
        }
    }
}

impl Credentials {
    pub(super) fn get(&self, prefix: &str) -> Option<CredentialRow> {
        Some(self.by_prefix.get(prefix)?.row(prefix))
    }

    pub(super) fn put(&mut self, row: &CredentialRow) {
        self.by_prefix.insert(row.prefix.as_str().into(), Kept::of(row));
    }

    /// An edge's, by when they were made.
    pub(super) fn of(&self, edge: i64) -> Vec<CredentialRow> {
        let mut found: Vec<_> = self
            .by_prefix
            .iter()
            .filter(|(_, kept)| kept.edge == edge)
            .map(|(prefix, kept)| kept.row(prefix))
            .collect();
        found.sort_by_key(|row| row.created_at);
        found
    }

    /// Edges that have one which is not revoked.
    pub(super) fn edges(&self) -> HashSet<i64> {
        let is_revoked = |kept: &Kept| kept.ends.as_ref().is_some_and(|ends| ends.revoked_at.is_some());
        self.by_prefix.values().filter(|kept| !is_revoked(kept)).map(|kept| kept.edge).collect()
    }

    /// An edge's are no longer good.
    pub(super) fn revoke(&mut self, edge: i64, now: i64) {
        for kept in self.by_prefix.values_mut().filter(|kept| kept.edge == edge) {
            kept.ends.get_or_insert_default().revoked_at.get_or_insert(now);
        }
    }

    /// An edge's are let go of.
    pub(super) fn forget(&mut self, edge: i64) {
        self.by_prefix.retain(|_, kept| kept.edge != edge);
    }

    /// How many bytes they take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let own = |kept: &Kept| {
            let other = if let Digest::Other(text) = &kept.digest { text.len() } else { 0 };
            other + kept.ends.as_deref().map_or(0, size_of_val)
        };
        let own: usize = self.by_prefix.values().map(own).sum();
        let prefixes: usize = self.by_prefix.keys().map(|prefix| prefix.len()).sum();
        super::table_bytes::<(Box<str>, Kept)>(self.by_prefix.capacity()) + own + prefixes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_comes_out_as_it_was_put_whatever_its_digest() {
        let mut credentials = Credentials::default();
        for (prefix, digest) in [("a", hex(&[7; 32])), ("b", "scrypt$nonsense".to_owned()), ("c", hex(&[7; 20]))] {
            for ends in [(None, None), (Some(5), None), (None, Some(6))] {
                let (expires_at, revoked_at) = ends;
                let prefix = prefix.to_owned();
                let row =
                    CredentialRow { prefix, edge: 3, digest: digest.clone(), created_at: 4, expires_at, revoked_at };
                credentials.put(&row);
                assert_eq!(credentials.get(&row.prefix), Some(row));
            }
        }
        credentials.revoke(3, 9);
        let revoked: Vec<_> = credentials.of(3).into_iter().map(|row| row.revoked_at).collect();
        assert_eq!(revoked, [Some(6); 3], "what was revoked before was so since then");
        credentials.put(&CredentialRow { prefix: "d".to_owned(), edge: 4, ..credentials.of(3)[0].clone() });
        let good = CredentialRow { prefix: "e".to_owned(), edge: 5, revoked_at: None, ..credentials.of(3)[0].clone() };
        credentials.put(&good);
        assert_eq!(credentials.edges(), HashSet::from([5]));
        credentials.forget(3);
        assert!(credentials.of(3).is_empty());
    }
}
