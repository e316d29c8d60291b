//! Which form of answer a client takes.

use http::HeaderMap;

use crate::status::Status;

/// How the content is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Yaml,
    /// Kubernetes' protobuf, of built-in kinds.
    Protobuf,
}

/// Into what objects are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The object itself.
    Whole,
    /// `meta.k8s.io/v1 Table`.
    Table,
    /// `PartialObjectMetadata` or its list.
    Metadata,
}

/// What was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accept {
    pub(crate) encoding: Encoding,
    pub(crate) form: Form,
}

impl Accept {
    pub(crate) const JSON: Self = Self { encoding: Encoding::Json, form: Form::Whole };
}

/// Takes the first media range that can be served. Protobuf comes last: clients that prefer it take JSON too, which is at hand without writing it
/// anew.
pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Accept, Status> {
    let (mut any, mut protobuf) = (false, false);
    for header in headers.get_all(http::header::ACCEPT) {
        let Ok(text) = header.to_str() else { continue };
        for range in text.split(',') {
            any = true;
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let (mut form, mut version, mut group) = ("", "", "");
            for part in parts {
                match part.split_once('=') {
                    Some(("as", value)) => form = value,
                    Some(("v", value)) => version = value,
                    Some(("g", value)) => group = value,
                    _ => {}
                }
            }
            let encoding = match media {
                "application/json" | "application/*" | "*/*" | "" => Encoding::Json,
                "application/yaml" => Encoding::Yaml,
                "application/vnd.kubernetes.protobuf" => {
                    protobuf |= form.is_empty();
                    continue;
                }
                _ => continue,
            };
            let known = group == "meta.k8s.io" && version == "v1";
            let form = match form {
                "" => Form::Whole,
                "Table" if known => Form::Table,
                "PartialObjectMetadata" | "PartialObjectMetadataList" if known => Form::Metadata,
                _ => continue,
            };
            return Ok(Accept { encoding, form });
        }
    }
    match (protobuf, any) {
        (true, _) => Ok(Accept { encoding: Encoding::Protobuf, form: Form::Whole }),
        (false, true) => Err(Status::not_acceptable()),
        (false, false) => Ok(Accept::JSON),
    }
}

/// True when the client asks for aggregated discovery of this version.
pub(crate) fn wants_aggregated(headers: &HeaderMap) -> bool {
    headers.get_all(http::header::ACCEPT).iter().filter_map(|header| header.to_str().ok()).any(|text| {
        text.split(',').any(|range| {
            range.contains("as=APIGroupDiscoveryList") && range.contains("g=apidiscovery.k8s.io") && {
                range.split(';').any(|part| part.trim() == "v=v2")
            }
        })
    })
}

/// True for the two paths of aggregated discovery where it is asked for.
pub(crate) fn asks_for_aggregated(path: &str, headers: &HeaderMap) -> bool {
    matches!(path.trim_end_matches('/'), "/api" | "/apis") && wants_aggregated(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str) -> Accept {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT, http::HeaderValue::from_static(text));
        negotiate(&headers).expect("acceptable")
    }

    #[test]
    fn clients_get_what_they_take() {
        let kubectl = of(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
        );
        assert_eq!(kubectl.form, Form::Table);
        assert_eq!(of("application/vnd.kubernetes.protobuf,application/json"), Accept::JSON);
        assert_eq!(of("application/vnd.kubernetes.protobuf").encoding, Encoding::Protobuf);
        assert_eq!(of("*/*"), Accept::JSON);
        assert_eq!(of("application/yaml").encoding, Encoding::Yaml);
    }
}
