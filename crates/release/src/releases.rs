use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_recursion::async_recursion as boxed;
use landfall_chart::Dialect;
use landfall_cluster::{Cluster, DeleteOptions, ListOptions, WriteOptions};
use landfall_engine::{Clock, Kinds};
use landfall_object::{Gvk, Object, ObjectKey};

use crate::codec::{labels, object, object_name, record};
use crate::{Error, Record, Status};

/// Helm's words in front of what a cluster refuses a query with.
const QUERY: &str = "query: failed to query with labels";

/// Which releases of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListFilter {
    /// As `helm list`: deployed and failed ones.
    #[default]
    Usual,
    /// All.
    All,
    /// Those of one status.
    Only(Status),
}

/// In what records are kept (`HELM_DRIVER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// In Secrets.
    #[default]
    Secret,
    /// In ConfigMaps.
    ConfigMap,
}

impl Driver {
    /// The driver that `HELM_DRIVER` names, where nothing means Secrets (`action.Configuration.Init`); none for the names of others.
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("" | "secret" | "secrets") => Some(Self::Secret),
            Some("configmap" | "configmaps") => Some(Self::ConfigMap),
            Some(_) => None,
        }
    }

    fn gvk(self) -> Gvk {
        Gvk::new(
            "",
            "v1",
            match self {
                Driver::Secret => "Secret",
                Driver::ConfigMap => "ConfigMap",
            },
        )
    }
}

/// The releases of a namespace: Helm's records in it.
#[derive(Clone)]
pub struct Releases {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) clock: Arc<dyn Clock>,
    driver: Driver,
    dialect: Dialect,
    pub(crate) expected: Arc<Kinds>,
    pub(crate) runs: KeptRuns,
    unpacked: Unpacked,
}

/// How much of packed records is remembered unpacked, in bytes: an object that holds one has at most as many.
const REMEMBERED: usize = 1 << 20;

/// Records that were unpacked, by the name of what holds them, beside what they were unpacked from. An operation looks at a release's
/// history several times, and a record costs more to unpack than to ask for.
#[derive(Clone, Default)]
pub struct Unpacked(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    records: HashMap<String, (String, Record)>,
    /// Of what they were unpacked from.
    bytes: usize,
}

impl Unpacked {
    /// The record in an object; none where it cannot be read.
    fn record(&self, holder: &Object) -> Option<Record> {
        let packed = holder.str_at("/data/release")?;
        if let Some((same, known)) = self.kept().records.get(holder.name())
            && same == packed
        {
            return Some(Record { labels: labels(holder), ..known.clone() });
        }
        let unpacked = record(holder).ok()?;
        self.keep(holder.name(), packed, &unpacked);
        Some(unpacked)
    }

    fn keep(&self, name: &str, packed: &str, record: &Record) {
        let mut kept = self.kept();
        if let Some((before, _)) = kept.records.remove(name) {
            kept.bytes -= before.len();
        }
        if kept.bytes + packed.len() > REMEMBERED {
            *kept = Kept::default();
        }
        if packed.len() <= REMEMBERED {
            kept.bytes += packed.len();
            kept.records.insert(name.to_owned(), (packed.to_owned(), record.clone()));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a record is written anew with each step of a hook, as Helm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeptRuns {
    /// It is.
    #[default]
    AtEachStep,
    /// Only with the operation's end, and packed loosely: nobody reads it meanwhile, nor long after, and a big chart takes a while to
    /// be packed.
    AtTheEnd,
}

impl Releases {
    /// The releases of a namespace.
    pub fn new(cluster: Cluster, namespace: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Releases {
            cluster,
            namespace: namespace.into(),
            clock,
            driver: Driver::Secret,
            dialect: Dialect::V3,
            expected: Arc::default(),
            runs: KeptRuns::default(),
            unpacked: Unpacked::default(),
        }
    }

    /// The same, with what others have unpacked.
    #[must_use]
    pub fn unpacked_in(mut self, unpacked: Unpacked) -> Self {
        self.unpacked = unpacked;
        self
    }

    /// The same, kept otherwise.
    #[must_use]
    pub fn kept_in(mut self, driver: Driver) -> Self {
        self.driver = driver;
        self
    }

    /// The same, where kinds that are not served yet come before the release's turn.
    #[must_use]
    pub fn expecting(mut self, kinds: Kinds) -> Self {
        self.expected = Arc::new(kinds);
        self
    }

    /// The same, hooks' runs kept so.
    #[must_use]
    pub fn keeping(mut self, runs: KeptRuns) -> Self {
        self.runs = runs;
        self
    }

    /// The same, records written as that Helm writes them.
    #[must_use]
    pub fn in_the_manner_of(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the engine knows a release by.
    pub fn target(&self, name: &str) -> String {
        crate::record::target(&self.namespace, name)
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The newest revision of each release, by name; `everywhere` looks into all namespaces.
    ///
    /// A record that cannot be read is left out, as Helm does.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn list(&self, filter: ListFilter) -> Result<Vec<Record>, Error> {
        self.list_in(Some(&self.namespace), filter).await
    }

    /// As [`Releases::list`], of all namespaces.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn list_everywhere(&self, filter: ListFilter) -> Result<Vec<Record>, Error> {
        self.list_in(None, filter).await
    }

    async fn list_in(&self, namespace: Option<&str>, filter: ListFilter) -> Result<Vec<Record>, Error> {
        let mut newest: std::collections::BTreeMap<(String, String), Record> = std::collections::BTreeMap::new();
        for record in self.revisions(namespace).await? {
            let key = (record.name.clone(), record.namespace.clone());
            if newest.get(&key).is_none_or(|known| known.version < record.version) {
                newest.insert(key, record);
            }
        }
        let wanted = |status: Status| match filter {
            ListFilter::Usual => matches!(status, Status::Deployed | Status::Failed),
            ListFilter::All => true,
            ListFilter::Only(only) => status == only,
        };
        Ok(newest.into_values().filter(|record| wanted(record.info.status)).collect())
    }

    /// Every revision of every release, of one namespace or of all; a record that cannot be read is left out.
    ///
    /// # Errors
    /// [`Error::Storage`] with what the cluster refuses with.
    #[boxed]
    pub async fn revisions(&self, namespace: Option<&str>) -> Result<Vec<Record>, Error> {
        self.select(namespace, "owner=helm", "list: failed to list").await
    }

    async fn select(&self, namespace: Option<&str>, selector: &str, what: &'static str) -> Result<Vec<Record>, Error> {
        let options = ListOptions {
            namespace: namespace.map(str::to_owned),
            label_selector: Some(selector.to_owned()),
            ..ListOptions::default()
        };
        let found = self.cluster.list(&self.driver.gvk(), &options).await;
        let found = found.map_err(|source| match source {
            source @ landfall_cluster::Error::Api { .. } => Error::Storage { what, source },
            other => Error::Cluster(other),
        })?;
        Ok(found.iter().filter_map(|holder| self.unpacked.record(holder)).collect())
    }

    /// All revisions of a release, oldest first; empty when there is none.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn history(&self, name: &str) -> Result<Vec<Record>, Error> {
        let selector = format!("name={name},owner=helm");
        let mut records = self.select(Some(&self.namespace), &selector, QUERY).await?;
        records.sort_by_key(|record| record.version);
        Ok(records)
    }

    /// The newest revision of a release.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn last(&self, name: &str) -> Result<Record, Error> {
        crate::validate_release_name(name)?;
        self.history(name).await?.pop().ok_or_else(|| Error::NotFound { name: name.to_owned() })
    }

    /// One revision of a release.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn get(&self, name: &str, version: i64) -> Result<Record, Error> {
        let holder = self.cluster.get(&self.key(name, version)).await?;
        holder.as_ref().map(record).ok_or_else(|| Error::NotFound { name: name.to_owned() })?
    }

    /// The newest deployed revision of a release, when there is one.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn deployed(&self, name: &str) -> Result<Option<Record>, Error> {
        let selector = format!("name={name},owner=helm,status=deployed");
        let records = self.select(Some(&self.namespace), &selector, QUERY).await?;
        Ok(records.into_iter().max_by_key(|record| record.version))
    }

    fn key(&self, name: &str, version: i64) -> ObjectKey {
        ObjectKey::new(self.driver.gvk(), Some(&self.namespace), object_name(name, version))
    }

    fn options() -> WriteOptions {
        WriteOptions { field_manager: Some("helm".into()), ..WriteOptions::default() }
    }

    /// Stores a new revision.
    pub(crate) async fn create(&self, record: &Record) -> Result<(), Error> {
        let object = object(record, self.driver, self.dialect, self.runs, ("createdAt", self.clock.now().as_second()))?;
        match self.cluster.create(&object, &Self::options()).await {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Storage { what: "create: failed to create", source }),
        }
    }

    /// Stores a new revision, or the same again after a process died.
    pub(crate) async fn create_or_update(&self, record: &Record) -> Result<(), Error> {
        match self.create(record).await {
            Err(Error::Storage { source, .. }) if source.is_already_exists() => self.update(record).await,
            other => other,
        }
    }

    /// Stores a revision that is there already.
    pub(crate) async fn update(&self, record: &Record) -> Result<(), Error> {
        let object =
            object(record, self.driver, self.dialect, self.runs, ("modifiedAt", self.clock.now().as_second()))?;
        match self.cluster.replace(&object, &Self::options()).await {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Storage { what: "update: failed to update", source }),
        }
    }

    /// Removes a revision.
    pub(crate) async fn delete(&self, name: &str, version: i64) -> Result<(), Error> {
        match self.cluster.delete(&self.key(name, version), &DeleteOptions::default()).await {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Storage { what: "delete: failed to delete", source }),
        }
    }

    /// Makes room for one more revision: the oldest go, the last deployed one stays (pkg/storage/storage.go).
    pub(crate) async fn prune_history(&self, name: &str, max: usize) -> Result<(), Error> {
        if max == 0 {
            return Ok(());
        }
        let history = self.history(name).await?;
        let keep = max - 1;
        if history.len() <= keep {
            return Ok(());
        }
        let deployed =
            history.iter().rev().find(|record| record.info.status == Status::Deployed).map(|last| last.version);
        let mut surplus = history.len() - keep;
        for record in &history {
            if surplus == 0 {
                break;
            }
            if Some(record.version) != deployed {
                self.delete(name, record.version).await?;
                surplus -= 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(packed: &str, label: &str) -> Object {
        let object = serde_json::json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "sh.helm.release.v1.a.v1", "labels": {"team": label}},
            "data": {"release": packed},
        });
        Object::from_value(object).expect("an object")
    }

    fn packed(version: i64) -> String {
        use base64::Engine as _;
        let text = format!(r#"{{"name": "a", "version": {version}}}"#);
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    #[test]
    fn what_was_unpacked_is_taken_while_it_is_packed_the_same() {
        let unpacked = Unpacked::default();
        let first = unpacked.record(&holder(&packed(1), "x")).expect("a record");
        assert_eq!((first.version, &*first.labels["team"]), (1, "x"));
        assert_eq!(unpacked.record(&holder(&packed(1), "x")), Some(first));
        let labelled = unpacked.record(&holder(&packed(1), "y")).expect("a record");
        assert_eq!((labelled.version, &*labelled.labels["team"]), (1, "y"));
        assert_eq!(unpacked.record(&holder(&packed(2), "x")).map(|record| record.version), Some(2));
        assert_eq!(unpacked.record(&holder("no", "x")), None);
        assert_eq!(unpacked.kept().bytes, packed(2).len());
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let unpacked = Unpacked::default();
        let record = unpacked.record(&holder(&packed(1), "x")).expect("a record");
        for name in 0..30 {
            unpacked.keep(&name.to_string(), &"x".repeat(REMEMBERED / 8), &record);
            assert!(unpacked.kept().bytes <= REMEMBERED);
        }
        unpacked.keep("one", &"x".repeat(REMEMBERED + 1), &record);
        assert_eq!(unpacked.kept().bytes, 0);
    }
}
