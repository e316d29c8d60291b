//! Signed charts: keys and signatures made by GnuPG and by helm 3 for this test; each verdict is helm's.

use landfall_source::{Keyring, provenance_text, verify_archive};

const KEYRING: &[u8] = include_bytes!("signed/keyring.gpg");
const ARCHIVE: &[u8] = include_bytes!("signed/tiny-1.0.0.tgz");
const NAME: &str = "tiny-1.0.0.tgz";
const DIGEST: &str = "sha256:791f2abe6d90adf1be9f95d4c3bf50c76cc25d601bb312d165a87bb186ffae97";
/// The first of December 2026.
const NOW: i64 = 1_796_083_200;

fn verdict(signed: &[u8]) -> Result<String, String> {
    let keyring = Keyring::read(KEYRING).expect("a keyring");
    match verify_archive(NAME, ARCHIVE, signed, &keyring, NOW) {
        Ok(verification) => {
            assert_eq!(verification.digest, DIGEST);
            let fingerprint: String =
                verification.signer.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
            Ok(format!("{} {}", verification.signer.names.join(", "), &fingerprint[32..]))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn signatures_of_rsa_ed25519_and_p256_hold() {
    let holds = |signed: &[u8], who: &str| assert_eq!(verdict(signed).as_deref(), Ok(who));
    holds(include_bytes!("signed/rsa.prov"), "Chart Maintainer <charts@example.com> 985182DC");
    holds(include_bytes!("signed/ed25519-subkey.prov"), "Second Signer <second@example.com> 6D089373");
    holds(include_bytes!("signed/p256.prov"), "Third Signer <third@example.com> 9818B070");
}

#[test]
fn signatures_of_nobody_known_of_withdrawn_keys_or_out_of_date_do_not() {
    let refused = |signed: &[u8], words: &str| assert_eq!(verdict(signed), Err(words.to_owned()));
    refused(include_bytes!("signed/unknown.prov"), "openpgp: signature made by unknown entity");
    refused(include_bytes!("signed/revoked.prov"), "openpgp: signature made by revoked key");
    refused(include_bytes!("signed/expired.prov"), "openpgp: signature expired");
    // Helm takes this one.
    let words = "openpgp: invalid signature: it is over SHA-1, which can be forged";
    refused(include_bytes!("signed/sha1.prov"), words);
    refused(b"files: {}\n", "failed to decode signature: signature block not found");
}

#[test]
fn a_changed_text_or_archive_is_refused() {
    let signed = include_str!("signed/rsa.prov");
    let changed = signed.replace("description: Signed", "description: Forged");
    assert_eq!(verdict(changed.as_bytes()), Err("openpgp: invalid signature: RSA verification failure".to_owned()));
    let changed = signed.replace("791f2abe", "000f2abe");
    assert_eq!(verdict(changed.as_bytes()), Err("openpgp: invalid signature: RSA verification failure".to_owned()));
    for changed in [include_str!("signed/ed25519-subkey.prov"), include_str!("signed/p256.prov")] {
        assert!(verdict(changed.replace("name: tiny", "name: tina").as_bytes()).is_err());
    }
    let keyring = Keyring::read(KEYRING).expect("a keyring");
    let check = |name: &str, archive: &[u8]| {
        verify_archive(name, archive, signed.as_bytes(), &keyring, NOW).expect_err("refused").to_string()
    };
    let words = check(NAME, b"another");
    assert!(words.starts_with(&format!("sha256 sum does not match for {NAME}: \"{DIGEST}\" != \"sha256:")), "{words}");
    assert_eq!(check("other.tgz", ARCHIVE), "provenance does not contain a SHA for a file named \"other.tgz\"");
}

#[test]
fn what_is_signed_is_what_helm_signs() {
    let signed = include_str!("signed/rsa.prov");
    let text = provenance_text(NAME, ARCHIVE).expect("a chart");
    assert!(signed.contains(&format!("Hash: SHA512\n\n{text}")), "{text}");
}

#[test]
fn keyrings_cut_short_or_scrambled_never_let_anybody_through() {
    let signed = include_bytes!("signed/rsa.prov");
    let words = Keyring::read(b"-----BEGIN PGP PUBLIC KEY BLOCK-----").expect_err("armored").to_string();
    assert_eq!(words, "openpgp: invalid data: tag byte does not have MSB set");
    for end in 0..KEYRING.len() {
        // The first key is whole from its last signature on; before that nobody is known.
        if let Ok(keyring) = Keyring::read(&KEYRING[..end]) {
            let _known_or_not = verify_archive(NAME, ARCHIVE, signed, &keyring, NOW);
        }
    }
    // Every byte of the first key is covered: by its own signature, or by its number.
    let whole = Keyring::read(KEYRING).expect("a keyring").owners_called("charts@example.com");
    for at in 4..260 {
        let mut changed = KEYRING.to_vec();
        changed[at] ^= 1;
        if let Ok(keyring) = Keyring::read(&changed) {
            let trusted = verify_archive(NAME, ARCHIVE, signed, &keyring, NOW).is_ok();
            assert!(!trusted || keyring.owners_called("charts@example.com") == whole, "byte {at}");
        }
    }
}
