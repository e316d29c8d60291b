use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

use super::draft::Draft;
use crate::tree::Bytes;

/// How a document is fetched: its bytes, nothing where what it says is not to be asked for, or why there are none, in Helm's
/// words.
type Fetch = dyn Fn(&str) -> Result<Option<Vec<u8>>, String> + Send + Sync;

/// What was fetched, by address: the document, nothing, or why there is none.
type Kept = BTreeMap<String, Result<Option<Arc<Json>>, String>>;

/// Schemas by their text, the oldest first.
type Read = VecDeque<(Bytes, Arc<Json>)>;

/// How many documents one schema may lead to.
const MOST: usize = 64;

/// How many schemas are remembered that were found to be such.
const REMEMBERED: usize = 32;

/// The documents that schemas refer to by address (`$ref: https://…`), each fetched once; none without somebody who
/// fetches (helm: `newHTTPURLLoader`).
#[derive(Clone, Default)]
pub struct SchemaDocuments {
    fetch: Option<Arc<Fetch>>,
    kept: Arc<Mutex<Kept>>,
    /// Schemas of charts that were read and held against their drafts' own: a chart that is rendered again has the same.
    read: Arc<Mutex<Read>>,
}

/// Documents by address; nothing where one is not there and is not checked.
pub(super) type Documents = BTreeMap<String, Option<Arc<Json>>>;

impl SchemaDocuments {
    /// Documents that are fetched this way.
    pub fn fetched_by(fetch: impl Fn(&str) -> Result<Vec<u8>, String> + Send + Sync + 'static) -> Self {
        SchemaDocuments::fetched_if_reached(move |address| fetch(address).map(Some))
    }

    /// Documents that are fetched this way; what such a one asks for that is nothing is not checked.
    pub fn fetched_if_reached(fetch: impl Fn(&str) -> Result<Option<Vec<u8>>, String> + Send + Sync + 'static) -> Self {
        SchemaDocuments { fetch: Some(Arc::new(fetch)), ..SchemaDocuments::default() }
    }

    /// A chart's schema, as `read` reads it; read once.
    ///
    /// # Errors
    /// What `read` says.
    pub(super) fn read_once<E>(
        &self,
        text: &Bytes,
        read: impl FnOnce(&[u8]) -> Result<Json, E>,
    ) -> Result<Arc<Json>, E> {
        let known = self.read.lock().ok().and_then(|known| {
            let found = known.iter().find(|(other, _)| Arc::ptr_eq(other, text) || other == text);
            found.map(|(_, schema)| Arc::clone(schema))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let schema = Arc::new(read(text)?);
        if let Ok(mut known) = self.read.lock() {
            if known.len() >= REMEMBERED {
                known.pop_front();
            }
            known.push_back((Arc::clone(text), Arc::clone(&schema)));
        }
        Ok(schema)
    }

    /// What a schema refers to, and what that refers to, by address, nothing where it could not be reached and is not
    /// checked; references in them are made whole.
    ///
    /// # Errors
    /// Helm's words for the first that cannot be had.
    pub(super) fn of(&self, schema: &Json) -> Result<Documents, String> {
        let mut found = Documents::new();
        let Some(fetch) = &self.fetch else { return Ok(found) };
        let mut wanted = BTreeSet::new();
        addresses(schema, &mut wanted);
        while let Some(address) = wanted.pop_first() {
            if found.contains_key(&address) || found.len() >= MOST {
                continue;
            }
            let document = self.fetched(&address, fetch.as_ref());
            let document = document.map_err(|why| format!("failing loading {address:?}: {why}"))?;
            if let Some(document) = &document {
                addresses(document, &mut wanted);
            }
            found.insert(address, document);
        }
        Ok(found)
    }

    fn fetched(&self, address: &str, fetch: &Fetch) -> Result<Option<Arc<Json>>, String> {
        if let Some(kept) = self.kept.lock().ok().and_then(|kept| kept.get(address).cloned()) {
            return kept;
        }
        let document = fetch(address).and_then(|bytes| {
            let Some(bytes) = bytes else { return Ok(None) };
            let mut document: Json =
                serde_json::from_slice(&bytes).map_err(|error| super::json_words(&error, &bytes))?;
            make_whole(&mut document, address);
            Ok(Some(Arc::new(document)))
        });
        if let Ok(mut kept) = self.kept.lock() {
            kept.insert(address.to_owned(), document.clone());
        }
        document
    }
}

impl std::fmt::Debug for SchemaDocuments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SchemaDocuments").field("fetched", &self.fetch.is_some()).finish_non_exhaustive()
    }
}

/// The addresses of the documents that references lead to; the drafts' own schemas are known to every validator.
fn addresses(schema: &Json, into: &mut BTreeSet<String>) {
    visit(schema, &mut |reference| {
        let document = reference.split_once('#').map_or(reference, |(document, _)| document);
        let remote = document.starts_with("http://") || document.starts_with("https://");
        if remote && !super::meta::is_a_drafts_own(document) {
            into.insert(document.to_owned());
        }
    });
}

fn visit(schema: &Json, see: &mut dyn FnMut(&str)) {
    match schema {
        Json::Object(keywords) => {
            if let Some(reference) = keywords.get("$ref").and_then(Json::as_str) {
                see(reference);
            }
            keywords.values().for_each(|below| visit(below, see));
        }
        Json::Array(items) => items.iter().for_each(|below| visit(below, see)),
        _ => {}
    }
}

/// Writes the document's own address in front of references within it, and resolves those beside it.
fn make_whole(schema: &mut Json, address: &str) {
    match schema {
        Json::Object(keywords) => {
            if let Some(Json::String(reference)) = keywords.get_mut("$ref") {
                *reference = joined(address, reference);
            }
            keywords.values_mut().for_each(|below| make_whole(below, address));
        }
        Json::Array(items) => items.iter_mut().for_each(|below| make_whole(below, address)),
        _ => {}
    }
}

/// A schema that says where it lies (`$id: https://…`) with what it refers to beside itself made whole; `None` where
/// there is nothing to make whole.
pub(super) fn at_its_own_address(schema: &Json) -> Option<Json> {
    let keyword = if Draft::of(schema) == Draft::D4 { "id" } else { "$id" };
    let address = without_fragment(schema.get(keyword)?.as_str()?);
    let remote = address.starts_with("http://") || address.starts_with("https://");
    let mut beside = false;
    if remote {
        visit(schema, &mut |reference| beside |= !reference.starts_with('#') && !reference.contains("://"));
    }
    beside.then(|| {
        let mut schema = schema.clone();
        rebase(&mut schema, keyword, address, address);
        schema
    })
}

/// Resolves references against the nearest address around them; those within the root stay as they are.
fn rebase(schema: &mut Json, keyword: &str, address: &str, root: &str) {
    match schema {
        Json::Object(keywords) => {
            let mut own = None;
            if let Some(Json::String(id)) = keywords.get_mut(keyword)
                && !id.starts_with('#')
            {
                *id = joined(address, without_fragment(id));
                own = Some(id.clone());
            }
            let address = own.as_deref().unwrap_or(address);
            if let Some(Json::String(reference)) = keywords.get_mut("$ref")
                && (address != root || !reference.starts_with('#'))
            {
                *reference = joined(address, reference);
            }
            keywords.values_mut().for_each(|below| rebase(below, keyword, address, root));
        }
        Json::Array(items) => items.iter_mut().for_each(|below| rebase(below, keyword, address, root)),
        _ => {}
    }
}

fn without_fragment(address: &str) -> &str {
    address.split_once('#').map_or(address, |(address, _)| address)
}

fn joined(address: &str, reference: &str) -> String {
    if reference.starts_with('#') {
        return format!("{address}{reference}");
    }
    if reference.contains("://") || reference.starts_with("urn:") {
        return reference.to_owned();
    }
    let host_ends = address.find("://").map_or(0, |at| at + 3);
    let root = address[host_ends..].find('/').map_or(address.len(), |at| host_ends + at);
    if reference.starts_with('/') {
        return format!("{}{reference}", &address[..root]);
    }
    let mut parts: Vec<&str> = address[root..].split('/').skip(1).collect();
    parts.pop();
    for part in reference.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("{}/{}", &address[..root], parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_read_once_whoever_brings_it_and_not_for_ever() {
        let documents = SchemaDocuments::default();
        let text = |at: usize| Bytes::from(at.to_string().into_bytes());
        let first = documents.read_once(&text(0), |_| Ok::<_, ()>(json!("read"))).expect("read");
        let again = documents.clone().read_once(&text(0), |_| Err(())).expect("it is known");
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(documents.read_once(&text(1), |_| Err(())), Err(()), "another one is read");
        for at in 1..=REMEMBERED {
            assert!(documents.read_once(&text(at), |_| Ok::<_, ()>(json!(at))).is_ok());
        }
        assert_eq!(documents.read_once(&text(0), |_| Err("read anew")), Err("read anew"));
    }

    #[test]
    fn references_are_resolved_against_the_documents_address() {
        let at = "https://example.com/a/b.json";
        assert_eq!(joined(at, "#/definitions/x"), "https://example.com/a/b.json#/definitions/x");
        assert_eq!(joined(at, "c.json#/y"), "https://example.com/a/c.json#/y");
        assert_eq!(joined(at, "../c.json"), "https://example.com/c.json");
        assert_eq!(joined(at, "/c.json"), "https://example.com/c.json");
        assert_eq!(joined(at, "http://other/z"), "http://other/z");
    }

    #[test]
    fn a_schema_that_says_where_it_lies_refers_to_what_lies_beside_it() {
        let schema = json!({
            "$id": "https://example.com/a/values.schema.json",
            "properties": {
                "x": {"$ref": "parts/x.json#/definitions/x"},
                "y": {"$ref": "#/definitions/y"},
                "z": {"$id": "z.json", "items": {"$ref": "#/definitions/z"}},
            },
        });
        let whole = at_its_own_address(&schema).expect("something lies beside it");
        let reference = |pointer: &str| whole.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        assert_eq!(reference("/properties/x/$ref"), "https://example.com/a/parts/x.json#/definitions/x");
        assert_eq!(reference("/properties/y/$ref"), "#/definitions/y");
        assert_eq!(reference("/properties/z/items/$ref"), "https://example.com/a/z.json#/definitions/z");
        assert!(at_its_own_address(&json!({"$id": "https://example.com/a", "$ref": "#/x"})).is_none());
        assert!(at_its_own_address(&json!({"$ref": "x.json"})).is_none());
    }

    #[test]
    fn what_documents_refer_to_is_fetched_once() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let documents = SchemaDocuments::fetched_by(move |address| {
            log.lock().expect("not poisoned").push(address.to_owned());
            match address {
                "http://h/a.json" => Ok(json!({"items": {"$ref": "b.json#/n"}}).to_string().into_bytes()),
                "http://h/b.json" => Ok(json!({"n": {"type": "number"}}).to_string().into_bytes()),
                _ => Err("no such host".to_owned()),
            }
        });
        let schema = json!({"properties": {"x": {"$ref": "http://h/a.json"}, "y": {"$ref": "http://h/a.json#/items"}}});
        for _ in 0..2 {
            let found = documents.of(&schema).expect("both are there");
            assert_eq!(found.keys().collect::<Vec<_>>(), ["http://h/a.json", "http://h/b.json"]);
        }
        assert_eq!(*asked.lock().expect("not poisoned"), ["http://h/a.json", "http://h/b.json"]);
        let words = documents.of(&json!({"$ref": "http://h/none"})).expect_err("it is not there");
        assert_eq!(words, "failing loading \"http://h/none\": no such host");
    }

    #[test]
    fn what_a_document_that_is_not_reached_asks_for_is_not_checked() {
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        let documents = SchemaDocuments::fetched_if_reached(move |_| {
            *count.lock().expect("not poisoned") += 1;
            Ok(None)
        });
        let schema = json!({"properties": {"x": {"$ref": "http://h/a.json#/n"}, "y": {"type": "number"}}});
        let check = |values: Json| super::super::check(&schema, &values, &documents).is_ok();
        assert!(check(json!({"x": "anything", "y": 1})));
        assert!(!check(json!({"x": "anything", "y": "text"})), "what stands here is checked");
        assert_eq!(*asked.lock().expect("not poisoned"), 1);
    }
}
