//! Who may approve, sign and ask for certificates (`plugin/pkg/admission/certificates`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};

use super::{Operation, Review};
use crate::rbac::{self, Attributes};
use crate::status::Status;
use crate::world::World;

const REQUESTS: &str = "certificatesigningrequests.certificates.k8s.io";
/// The signer whose certificates the API server takes.
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// Only who may `approve` for a signer approves or denies its requests. The signer is the stored one: a request for
/// another may come with the approval.
pub(super) fn approval(world: &World, review: &Review<'_>) -> Result<(), Status> {
    let Some(old) = updates(review, "approval") else { return Ok(()) };
    let signer = signer(old);
    if may(world, review, "approve", signer) {
        return Ok(());
    }
    Err(review.forbid(format!("user not permitted to approve requests with signerName {signer:?}")))
}

/// Only who may `sign` for a signer changes the certificate and the conditions of its requests.
pub(super) fn signing(world: &World, review: &Review<'_>) -> Result<(), Status> {
    let Some(old) = updates(review, "status") else { return Ok(()) };
    let same = |field: &str| {
        let empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let (old, new) = (&old["status"][field], &review.object["status"][field]);
        old == new || (empty(old) && empty(new))
    };
    let signer = signer(old);
    if (same("certificate") && same("conditions")) || may(world, review, "sign", signer) {
        return Ok(());
    }
    Err(review.forbid(format!("user not permitted to sign requests with signerName {signer:?}")))
}

/// Nobody becomes one of `system:masters` by a certificate for clients.
pub(super) fn subject(review: &Review<'_>) -> Result<(), Status> {
    if !review.creates(REQUESTS) || signer(review.object) != CLIENT_SIGNER {
        return Ok(());
    }
    let groups = organizations(review.object["spec"]["request"].as_str().unwrap_or_default());
    let groups =
        groups.ok_or_else(|| review.forbid("failed to parse CSR: PEM block type must be CERTIFICATE REQUEST"))?;
    if groups.iter().any(|group| group == "system:masters") {
        return Err(review.forbid(format!("use of {CLIENT_SIGNER} signer with system:masters group is not allowed")));
    }
    Ok(())
}

/// The stored request, when this writes this part of one.
fn updates<'a>(review: &'a Review<'_>, part: &str) -> Option<&'a Value> {
    let is = review.operation == Operation::Update && review.subresource == part && &*review.resource.id == REQUESTS;
    review.old.filter(|_| is)
}

fn signer(request: &Value) -> &str {
    request["spec"]["signerName"].as_str().unwrap_or_default()
}

/// By the signer's name, or by all of its domain (`pkg/certauthorization`).
fn may(world: &World, review: &Review<'_>, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    [signer.to_owned(), format!("{domain}/*")].iter().any(|name| {
        let asked = Attributes::resource(verb, "certificates.k8s.io", "", "signers", name);
        rbac::allowed(world, review.user, &asked)
    })
}

/// Every organization in the subject of a request; a subject may name several. None when it is no request.
fn organizations(encoded: &str) -> Option<Vec<String>> {
    let text = STANDARD.decode(encoded).ok()?;
    let pem = Pem::iter_from_buffer(&text).next()?.ok()?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).ok()?;
    let names = request.certification_request_info.subject.iter_organization();
    Some(names.map(|name| String::from_utf8_lossy(name.as_slice()).into_owned()).collect())
}
