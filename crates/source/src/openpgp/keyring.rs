//! Keyrings: keys, their names, their subkeys; and who signed a text.

use super::key::PublicKey;
use super::packet::{Packet, Reader};
use super::signature::{Hash, Kind, Signature};
use super::signed_text::SignedText;
use super::{OpenPgpError, malformed};

const SIGNATURE: u8 = 2;
const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const USER_ID: u8 = 13;
const PUBLIC_SUBKEY: u8 = 14;

/// A file of keys, as `gpg --export` writes it.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    owners: Vec<Owner>,
}

/// Somebody with a key.
#[derive(Debug, Clone)]
struct Owner {
    key: PublicKey,
    is_secret: bool,
    revocations: Vec<Signature>,
    names: Vec<Name>,
    subkeys: Vec<Subkey>,
}

#[derive(Debug, Clone)]
struct Name {
    text: String,
    signature: Option<Signature>,
    revocations: Vec<Signature>,
}

#[derive(Debug, Clone)]
struct Subkey {
    key: PublicKey,
    signature: Signature,
    revocations: Vec<Signature>,
}

/// Who signed a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The names that the key's owner goes by, in the keyring's order.
    pub names: Vec<String>,
    /// The primary key's fingerprint.
    pub fingerprint: [u8; 20],
}

/// Somebody whose key is in a keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwner {
    /// The primary key's fingerprint.
    pub fingerprint: [u8; 20],
    /// Whether the keyring holds the secret half.
    pub is_secret: bool,
}

/// Packets with one that can be looked at before it is taken.
struct Packets<'a> {
    reader: Reader<'a>,
    next: Option<Packet<'a>>,
}

impl<'a> Packets<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, OpenPgpError> {
        let mut reader = Reader(bytes);
        let next = reader.packet()?;
        Ok(Packets { reader, next })
    }

    fn advance(&mut self) -> Result<(), OpenPgpError> {
        self.next = self.reader.packet()?;
        Ok(())
    }

    /// Takes the signatures that follow; those that are not read are left out.
    fn signatures(&mut self) -> Result<Vec<Signature>, OpenPgpError> {
        let mut signatures = Vec::new();
        while let Some(packet) = self.next.filter(|packet| packet.tag == SIGNATURE) {
            self.advance()?;
            match Signature::parse(packet.body) {
                Ok(signature) => signatures.push(signature),
                Err(OpenPgpError::Unsupported(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(signatures)
    }
}

fn is_key(packet: &Packet<'_>) -> bool {
    matches!(packet.tag, PUBLIC_KEY | SECRET_KEY)
}

impl Keyring {
    /// Reads a keyring; keys that are broken or not supported are passed over.
    ///
    /// # Errors
    /// Bytes that are no keyring, or one of which no key can be read.
    pub fn read(bytes: &[u8]) -> Result<Self, OpenPgpError> {
        let mut packets = Packets::new(bytes)?;
        let mut owners = Vec::new();
        let mut passed_over = None;
        while packets.next.is_some() {
            match Owner::read(&mut packets) {
                Ok(owner) => owners.push(owner),
                Err(error) => {
                    passed_over = Some(error);
                    // On to the next key, or the end.
                    while packets.next.as_ref().is_some_and(|packet| !is_key(packet)) {
                        packets.advance()?;
                    }
                }
            }
        }
        match passed_over {
            Some(error) if owners.is_empty() => Err(error),
            _ => Ok(Keyring { owners }),
        }
    }

    /// Whose names hold a text; only the one who is called exactly that, where there is one.
    pub fn owners_called(&self, text: &str) -> Vec<KeyOwner> {
        let found = |is: &dyn Fn(&str) -> bool| -> Vec<KeyOwner> {
            let named = self.owners.iter().filter(|owner| owner.names.iter().any(|name| is(&name.text)));
            named.map(|owner| KeyOwner { fingerprint: owner.key.fingerprint, is_secret: owner.is_secret }).collect()
        };
        let mut exactly = found(&|name| name == text);
        exactly.truncate(1);
        if exactly.is_empty() { found(&|name| name.contains(text)) } else { exactly }
    }

    /// Who signed a text.
    ///
    /// # Errors
    /// A signature by nobody in the keyring, one that does not fit the text, or one of a key that is withdrawn or
    /// expired at `now` (in seconds since 1970).
    pub fn signer(&self, signed: &SignedText, now: i64) -> Result<Signer, OpenPgpError> {
        for signature in signed.signatures()? {
            let issuer = signature.issuer.ok_or_else(|| malformed("signature doesn't have an issuer"))?;
            let mut problem = None;
            for (owner, subkey) in self.keys(issuer) {
                let bytes = signed.signed_bytes(&signature)?;
                if signature.hash == Hash::Sha1 {
                    return Err(OpenPgpError::Invalid("it is over SHA-1, which can be forged".to_owned()));
                }
                let key = subkey.map_or(&owner.key, |subkey| &subkey.key);
                match key.verify(bytes, &signature) {
                    Ok(()) => {
                        owner.stands_for(subkey, &signature, now)?;
                        let names = owner.names.iter().map(|name| name.text.clone()).collect();
                        return Ok(Signer { names, fingerprint: owner.key.fingerprint });
                    }
                    Err(error) => problem = Some(error),
                }
            }
            if let Some(problem) = problem {
                return Err(problem);
            }
        }
        Err(OpenPgpError::UnknownSigner)
    }

    /// The keys of that number that may sign.
    fn keys(&self, id: u64) -> impl Iterator<Item = (&Owner, Option<&Subkey>)> {
        self.owners.iter().flat_map(move |owner| {
            let primary = owner.name().and_then(|name| name.signature.as_ref());
            let itself = owner.key.id() == id && primary.is_some_and(Signature::allows_signing);
            let subkeys =
                owner.subkeys.iter().filter(move |subkey| subkey.key.id() == id && subkey.signature.allows_signing());
            itself.then_some((owner, None)).into_iter().chain(subkeys.map(move |subkey| (owner, Some(subkey))))
        })
    }
}

impl Owner {
    fn read(packets: &mut Packets<'_>) -> Result<Self, OpenPgpError> {
        let first =
            packets.next.filter(is_key).ok_or_else(|| malformed("first packet was not a public/private key"))?;
        packets.advance()?;
        let key = PublicKey::parse(first.body)?;
        if !key.signs() {
            return Err(malformed("primary key cannot be used for signatures"));
        }
        let is_secret = first.tag == SECRET_KEY;
        let mut owner = Owner { key, is_secret, revocations: Vec::new(), names: Vec::new(), subkeys: Vec::new() };
        while let Some(packet) = packets.next.filter(|packet| !is_key(packet)) {
            match packet.tag {
                USER_ID => {
                    packets.advance()?;
                    let signatures = packets.signatures()?;
                    owner.add_name(packet.body, signatures)?;
                }
                PUBLIC_SUBKEY | SECRET_SUBKEY => {
                    packets.advance()?;
                    let signatures = packets.signatures()?;
                    match PublicKey::parse(packet.body) {
                        Ok(key) => owner.add_subkey(key, signatures)?,
                        Err(OpenPgpError::Unsupported(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                SIGNATURE => {
                    for signature in packets.signatures()? {
                        if signature.kind == Kind::KeyRevocation {
                            owner
                                .key
                                .verify(&owner.key.signed_form()?, &signature)
                                .map_err(|_| malformed("revocation signature signed by alternate key"))?;
                            owner.revocations.push(signature);
                        }
                    }
                }
                _ => packets.advance()?,
            }
        }
        if owner.names.is_empty() {
            return Err(malformed("v4 entity without any identities"));
        }
        Ok(owner)
    }

    /// Adds a name that the key itself has signed; a name signed by others only does not count.
    fn add_name(&mut self, text: &[u8], signatures: Vec<Signature>) -> Result<(), OpenPgpError> {
        let length = u32::try_from(text.len()).map_err(|_| malformed("a name is too long"))?;
        let signed = [&self.key.signed_form()?[..], &[0xB4], &length.to_be_bytes(), text].concat();
        let mut name =
            Name { text: String::from_utf8_lossy(text).into_owned(), signature: None, revocations: Vec::new() };
        let mut own = false;
        for signature in signatures {
            if !matches!(signature.kind, Kind::Certification | Kind::CertificationRevocation) {
                return Err(malformed("user ID signature with wrong type"));
            }
            if signature.issuer != Some(self.key.id()) {
                continue;
            }
            self.key
                .verify(&signed, &signature)
                .map_err(|error| OpenPgpError::Malformed(format!("user ID self-signature invalid: {error}")))?;
            own = true;
            if signature.kind == Kind::CertificationRevocation {
                name.revocations.push(signature);
            } else if name.signature.as_ref().is_none_or(|known| signature.created > known.created) {
                name.signature = Some(signature);
            }
        }
        if own {
            self.names.push(name);
        }
        Ok(())
    }

    /// Adds a subkey that the key has signed, and which, if it signs, has signed the key.
    fn add_subkey(&mut self, key: PublicKey, signatures: Vec<Signature>) -> Result<(), OpenPgpError> {
        let signed = [self.key.signed_form()?, key.signed_form()?].concat();
        let (mut binding, mut revocations) = (None::<Signature>, Vec::new());
        for signature in signatures {
            let wrong = |error: OpenPgpError| OpenPgpError::Malformed(format!("subkey signature invalid: {error}"));
            match signature.kind {
                Kind::Subkey | Kind::SubkeyRevocation => self.key.verify(&signed, &signature).map_err(wrong)?,
                _ => return Err(malformed("subkey signature with wrong type")),
            }
            if signature.kind == Kind::SubkeyRevocation {
                revocations.push(signature);
                continue;
            }
            if signature.allows_signing() {
                let Some(embedded) = signature.embedded.as_ref().filter(|it| it.kind == Kind::Primary) else {
                    return Err(wrong(malformed("signing subkey is missing cross-signature")));
                };
                key.verify(&signed, embedded).map_err(wrong)?;
            }
            if binding.as_ref().is_none_or(|known| signature.created > known.created) {
                binding = Some(signature);
            }
        }
        let signature = binding.ok_or_else(|| malformed("subkey packet not followed by signature"))?;
        self.subkeys.push(Subkey { key, signature, revocations });
        Ok(())
    }

    /// The name that speaks for the key: one not withdrawn, said to be the first, the latest.
    fn name(&self) -> Option<&Name> {
        self.names.iter().max_by_key(|name| {
            let signature = name.signature.as_ref();
            (
                std::cmp::Reverse(name.revocations.len()),
                signature.is_some_and(|signature| signature.is_primary),
                signature.map(|signature| signature.created),
            )
        })
    }

    /// Whether the key may still be believed.
    fn stands_for(&self, subkey: Option<&Subkey>, signature: &Signature, now: i64) -> Result<(), OpenPgpError> {
        let name = self.name().ok_or(OpenPgpError::UnknownSigner)?;
        let own = name.signature.as_ref().ok_or(OpenPgpError::UnknownSigner)?;
        let mut signatures = vec![signature, own];
        signatures.extend(subkey.map(|subkey| &subkey.signature));
        signatures.extend(subkey.and_then(|subkey| subkey.signature.embedded.as_deref()));
        if let Some(notation) = signatures.iter().find_map(|signature| signature.critical_notation()) {
            return Err(OpenPgpError::Invalid(format!("unknown critical notation: {notation}")));
        }
        let revoked = |all: &[Signature]| all.iter().any(|revocation| revocation.revokes(now));
        if revoked(&self.revocations)
            || revoked(&name.revocations)
            || subkey.is_some_and(|subkey| revoked(&subkey.revocations))
        {
            return Err(OpenPgpError::Revoked);
        }
        if self.key.is_expired(own.key_lifetime, now)
            || subkey.is_some_and(|subkey| subkey.key.is_expired(subkey.signature.key_lifetime, now))
        {
            return Err(OpenPgpError::KeyExpired);
        }
        if signatures.iter().any(|signature| signature.is_expired(now)) {
            return Err(OpenPgpError::SignatureExpired);
        }
        Ok(())
    }
}
