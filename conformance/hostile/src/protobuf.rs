//! Bodies in protobuf, and the same kinds as JSON.

use landfall_object::Gvk;
use landfall_object::schema::Schemas;

pub(crate) fn protobuf(bytes: &[u8]) {
    let schemas = Schemas::builtin();
    let mut enveloped = b"k8s\0".to_vec();
    enveloped.extend_from_slice(bytes);
    for body in [bytes, &enveloped] {
        let Ok((_, decoded)) = schemas.decode_protobuf(body) else { continue };
        let _unknown = schemas.encode_protobuf(&decoded.value);
    }
    for (version, kind) in [("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "Service")] {
        let _refused = schemas.decode_json(&Gvk::from_api_version(version, kind), bytes);
    }
}
