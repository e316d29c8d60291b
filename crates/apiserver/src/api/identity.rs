//! Who asks: bearer tokens, client certificates, service account tokens.

use http::HeaderMap;
use serde_json::Value;

use super::door::Door;
use super::token::{INVALID, ISSUER};
use crate::plane::Plane;
use crate::status::Status;
use crate::world::{Authorization, User};

/// A client's certificate, as DER.
pub(crate) struct PeerCertificate(pub(crate) Vec<u8>);

pub(crate) fn admin() -> User {
    User {
        name: "landfall-admin".to_owned(),
        groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
        ..User::default()
    }
}

const ANONYMOUS: &str = "system:anonymous";

/// Whether nobody has shown who they are.
pub(crate) fn is_anonymous(user: &User) -> bool {
    user.name == ANONYMOUS
}

fn anonymous() -> User {
    User { name: ANONYMOUS.to_owned(), groups: vec!["system:unauthenticated".to_owned()], ..User::default() }
}

/// The user of a request, before any impersonation; 401 otherwise.
pub(crate) fn authenticate(
    plane: &Plane,
    door: Door,
    headers: &HeaderMap,
    peer: Option<&PeerCertificate>,
) -> Result<User, Status> {
    let bearer = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")))
        .map(str::trim);
    Ok(match (bearer, peer, door) {
        (Some(token), ..) => of_token(plane, token, &[ISSUER]).map_err(|_| Status::unauthorized())?.0,
        (None, Some(peer), _) => of_certificate(&peer.0).ok_or_else(Status::unauthorized)?,
        (None, None, Door::InProcess) => admin(),
        // Who may do everything must at least be somebody (`BuiltInAuthenticationOptions.ApplyAuthorization`).
        (None, None, Door::Served) if plane.world.lock().settings().authorization == Authorization::AlwaysAllow => {
            return Err(Status::unauthorized());
        }
        (None, None, Door::Served) => anonymous(),
    })
}

/// The user a bearer token stands for among these audiences, and those of them that it is for; else what is wrong.
pub(crate) fn of_token(plane: &Plane, token: &str, audiences: &[&str]) -> Result<(User, Vec<String>), String> {
    let known = plane.credentials.token().as_bytes();
    if aws_lc_rs::constant_time::verify_slices_are_equal(token.as_bytes(), known).is_ok() {
        // The administrator's token names no audience: it is for the API server's own (`WrapAudienceAgnosticToken`).
        let own = audiences.iter().find(|audience| **audience == ISSUER);
        return own.map(|own| (admin(), vec![(*own).to_owned()])).ok_or_else(|| INVALID.to_owned());
    }
    super::token::user_of(plane, token, audiences)
}

/// `CN` is the user, each `O` a group: read from the certificate's subject.
fn of_certificate(der: &[u8]) -> Option<User> {
    let (certificate, _) = element(der, 0x30)?;
    let (mut rest, _) = element(certificate, 0x30)?;
    if rest.first() == Some(&0xA0) {
        rest = any(rest)?.1;
    }
    // serial, signature algorithm, issuer, validity
    for _ in 0..4 {
        rest = any(rest)?.1;
    }
    let (mut names, _) = element(rest, 0x30)?;
    let (mut user, mut groups) = (String::new(), Vec::new());
    while !names.is_empty() {
        let (set, after) = element(names, 0x31)?;
        names = after;
        let (pair, _) = element(set, 0x30)?;
        let (oid, after) = element(pair, 0x06)?;
        let (text, _) = any(after)?;
        let text = String::from_utf8_lossy(text).into_owned();
        match oid {
            [0x55, 0x04, 0x03] => user = text,
            [0x55, 0x04, 0x0A] => groups.push(text),
            _ => {}
        }
    }
    groups.push("system:authenticated".to_owned());
    (!user.is_empty()).then(|| User { name: user, groups, ..User::default() })
}

/// The content of a DER element of this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if bytes.first() == Some(&tag) { any(bytes) } else { None }
}

fn any(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *bytes.get(1)? as usize;
    let (length, start) = if first < 0x80 {
        (first, 2)
    } else {
        let count = first & 0x7F;
        let digits = bytes.get(2..2 + count).filter(|digits| digits.len() <= 4)?;
        (digits.iter().fold(0usize, |sum, byte| sum << 8 | *byte as usize), 2 + count)
    };
    let end = start.checked_add(length)?;
    Some((bytes.get(start..end)?, bytes.get(end..)?))
}

/// `UserInfo` as JSON.
pub(crate) fn user_info(user: &User) -> Value {
    let mut info = serde_json::json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.clone().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = serde_json::json!(user.extra);
    }
    info
}
