use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use landfall_chart::Dialect;
use landfall_object::Object;
use serde_json::{Value, json};

use crate::{Driver, Error, KeptRuns, Record};

/// The type of the Secrets that hold records.
pub(crate) const SECRET_TYPE: &str = "helm.sh/release.v1";
/// Labels that Helm itself sets.
pub(crate) const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];
/// The most that a Secret or ConfigMap holds, in bytes (Kubernetes' `MaxSecretSize`).
const MAX_TEXT: usize = 1 << 20;
/// A record of this size cannot come out of a Secret; whatever unpacks to more is not one.
const MAX_RECORD: u64 = 256 << 20;

/// The name of the object that holds a revision.
pub(crate) fn object_name(release: &str, version: i64) -> String {
    format!("sh.helm.release.v1.{release}.v{version}")
}

/// A record as the text that Helm stores: base64 of gzip of JSON.
///
/// # Errors
/// [`Error::Damaged`] when the record cannot be written as JSON.
pub fn encode(record: &Record) -> Result<String, Error> {
    encode_as(record, Dialect::V3, PLAIN)
}

/// As [`encode`], in the manner of one Helm or the other, packed so tight at first.
fn encode_as(record: &Record, dialect: Dialect, first: i32) -> Result<String, Error> {
    let damaged = |reason: String| Error::Damaged { what: object_name(&record.name, record.version), reason };
    let bytes = landfall_object::to_json(&record.to_value(dialect)?);
    let mut text = String::new();
    for level in levels(first) {
        text = pack(&bytes, level).map_err(|error| damaged(error.to_string()))?;
        if text.len() <= MAX_TEXT {
            break;
        }
    }
    Ok(text)
}

/// Levels to be tried in turn while a record is too large: what just fits where Helm stores it must fit here too, and no two packers
/// reach the same size.
fn levels(first: i32) -> impl Iterator<Item = i32> {
    std::iter::once(first).chain([PLAIN, CLOSE, TIGHT].into_iter().filter(move |next| *next > first))
}

/// As tight as zlib's best within a few per cent, in a fifth of its time.
const PLAIN: i32 = 7;
/// A tenth larger or two, in a quarter of that time.
const LOOSE: i32 = 1;
/// A hundredth smaller, in twice the time: what is a little too large is not at once packed at the slowest.
const CLOSE: i32 = 9;
/// The tightest, some thirty times slower.
const TIGHT: i32 = 12;

fn pack(bytes: &[u8], level: i32) -> std::io::Result<String> {
    let level = libdeflater::CompressionLvl::new(level).map_err(|error| std::io::Error::other(format!("{error:?}")))?;
    let mut packer = libdeflater::Compressor::new(level);
    let mut packed = vec![0; packer.gzip_compress_bound(bytes.len())];
    let length = packer.gzip_compress(bytes, &mut packed).map_err(std::io::Error::other)?;
    Ok(STANDARD.encode(&packed[..length]))
}

/// A record from the text that Helm stores; plain JSON below the base64 is read, too, as very old Helms wrote it.
///
/// # Errors
/// [`Error::Damaged`] when it is not one.
pub fn decode(what: &str, text: &str) -> Result<Record, Error> {
    let damaged = |reason: String| Error::Damaged { what: what.to_owned(), reason };
    let packed = STANDARD.decode(text.trim()).map_err(|error| damaged(error.to_string()))?;
    let bytes = if packed.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut bytes = Vec::new();
        let mut gzip = GzDecoder::new(packed.as_slice()).take(MAX_RECORD);
        gzip.read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
        bytes
    } else {
        packed
    };
    serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
}

/// The object that holds a record, packed for who reads it; `stamp` is the label with the time in seconds: `createdAt` or
/// `modifiedAt`.
pub(crate) fn object(
    record: &Record,
    driver: Driver,
    dialect: Dialect,
    runs: KeptRuns,
    stamp: (&str, i64),
) -> Result<Object, Error> {
    let mut labels: BTreeMap<String, String> = record.labels.clone();
    labels.extend(record.system_labels());
    labels.insert(stamp.0.into(), stamp.1.to_string());
    let name = object_name(&record.name, record.version);
    let metadata = json!({"name": name, "namespace": record.namespace, "labels": labels});
    let level = match runs {
        KeptRuns::AtEachStep => PLAIN,
        KeptRuns::AtTheEnd => LOOSE,
    };
    let text = encode_as(record, dialect, level)?;
    let value = match driver {
        Driver::Secret => json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": SECRET_TYPE,
            // A Secret's data is base64 itself, on top of the record's own.
            "data": {"release": STANDARD.encode(text)},
        }),
        Driver::ConfigMap => {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"release": text}})
        }
    };
    Object::from_value(value).map_err(|error| Error::Damaged { what: name, reason: error.to_string() })
}

/// The labels of a record that are its user's.
pub(crate) fn labels(holder: &Object) -> BTreeMap<String, String> {
    let all = holder.labels().into_iter().flatten();
    all.filter(|(name, _)| !SYSTEM_LABELS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The record in a Secret or ConfigMap.
pub(crate) fn record(holder: &Object) -> Result<Record, Error> {
    let what = holder.name().to_owned();
    let damaged = |reason: &str| Error::Damaged { what: what.clone(), reason: reason.to_owned() };
    let data = holder.str_at("/data/release").ok_or_else(|| damaged("it has no `release`"))?;
    let mut record = if holder.kind() == "Secret" {
        let text = STANDARD.decode(data).map_err(|error| damaged(&error.to_string()))?;
        let text = String::from_utf8(text).map_err(|_| damaged("its `release` is not text"))?;
        decode(&what, &text)?
    } else {
        decode(&what, data)?
    };
    record.labels = labels(holder);
    // Helm writes charts without these fields when they are empty; equality must not depend on it.
    if let Value::Null = record.chart {
        record.chart = json!({});
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_is_tried_twice_and_the_tightest_last() {
        for (first, all) in [(LOOSE, vec![LOOSE, PLAIN, CLOSE, TIGHT]), (PLAIN, vec![PLAIN, CLOSE, TIGHT])] {
            assert_eq!(levels(first).collect::<Vec<_>>(), all);
        }
    }

    /// Of chaos-mesh's definitions: Helm's record fits into a Secret by 0.2 %, ours was 0.1 % too long.
    #[test]
    fn a_record_that_hardly_fits_is_packed_more_tightly_and_read_as_any_other() {
        // Words in no order: packs to about a quarter, and differently by each packer.
        let mut state = 1_u32;
        let mut words = String::new();
        while words.len() < 3_000_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            words.push_str(
                ["apiVersion: ", "description: ", "x-kubernetes-", "properties:\n  ", "type: string\n"]
                    [(state >> 24) as usize % 5],
            );
            words.push_str(&((state >> 8) % 997).to_string());
        }
        let json =
            serde_json::to_vec(&json!({"name": "a", "namespace": "b", "version": 1, "manifest": words})).expect("JSON");
        let (plain, tight) = (pack(&json, PLAIN).expect("packed"), pack(&json, TIGHT).expect("packed"));
        assert!(tight.len() * 100 < plain.len() * 99, "{} of {}", tight.len(), plain.len());
        assert_eq!(decode("a", &tight).expect("read"), decode("a", &plain).expect("read"));
    }
}
