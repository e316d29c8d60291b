//! From what a front door wishes to a plan: the door is pure, and what it has to know of the cluster is looked up for it.

use std::collections::BTreeSet;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, ListOptions};
use landfall_object::{Gvk, Object, ObjectKey};

use crate::Error;
use crate::desired::Desired;
use crate::place::Places;
use crate::plan::Plan;
use crate::planning::{Live, plan};

/// A front door's wish, compiled to a plan step by step; no step does I/O.
pub trait Wish: Send {
    /// An operation, ready to be shown and carried out.
    type Prepared: Send;
    /// Why it cannot be.
    type Error: From<Error> + From<landfall_cluster::Error> + Send;

    /// The namespace of objects that name none.
    fn home(&self) -> &str;

    /// The kinds of its objects, but for those that come with it.
    fn kinds(&self) -> BTreeSet<Gvk>;

    /// Places its objects; answers what else of the cluster it has to know before it compiles.
    ///
    /// # Errors
    /// When an object cannot be read, or its kind is not served.
    fn place(&mut self, places: Places) -> Result<Look, Self::Error>;

    /// Compiles it to what the engine is to do.
    ///
    /// # Errors
    /// What the door does not allow.
    fn compile(&mut self, sight: &Sight) -> Result<Desired, Self::Error>;

    /// Live objects that it knew before anything was looked up, read a moment ago: they are not read again.
    fn seen(&self) -> &[Object] {
        &[]
    }

    /// Settles what depends on the live objects: whose they are, what is kept.
    ///
    /// # Errors
    /// What the door does not allow.
    fn settle(&self, _: &mut Desired, _: &Live) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The operation.
    ///
    /// # Errors
    /// What planning refuses.
    fn prepared(self, plan: Plan, live: Live) -> Result<Self::Prepared, Self::Error>;
}

/// What a wish has to know of the cluster before it compiles.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// Live objects.
    pub objects: Vec<ObjectKey>,
    /// Objects that a selector finds.
    pub selected: Vec<Selection>,
}

/// Objects of a kind by their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The kind.
    pub gvk: Gvk,
    /// Their namespace; everywhere when absent.
    pub namespace: Option<String>,
    /// `app=web,tier=front`.
    pub labels: String,
}

/// What was found of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sight {
    /// The live objects; those that are not there are left out.
    pub objects: Vec<Object>,
    /// What selectors found, without repetition.
    pub selected: Vec<ObjectKey>,
}

/// Makes a plan of a wish: places its objects, reads what is live, and compiles.
///
/// # Errors
/// What the wish does not allow, what planning refuses, and what the cluster refuses with.
pub async fn prepare<W: Wish>(cluster: &Cluster, mut wish: W) -> Result<W::Prepared, W::Error> {
    let places = Places::look_up(cluster, wish.home(), wish.kinds()).await?;
    let look = wish.place(places)?;
    let sight = look_at(cluster, &look).await?;
    let mut known: Vec<Object> = wish.seen().iter().chain(&sight.objects).cloned().collect();
    let mut looked: BTreeSet<ObjectKey> = known.iter().map(Object::key).collect();
    looked.extend(look.objects);
    let mut desired = wish.compile(&sight)?;
    // What has no name cannot be asked for; the door or planning refuses it.
    let mut keys = desired.keys();
    keys.sort();
    known.retain(|object| keys.binary_search(&object.key()).is_ok());
    keys.retain(|key| !key.name.is_empty() && !looked.contains(key));
    known.extend(cluster.get_all_lately(&keys).await?);
    let live = Live::new(known);
    wish.settle(&mut desired, &live)?;
    crate::once::kept(cluster, &mut desired, &live).await;
    let plan = plan(&desired, &live)?;
    wish.prepared(plan, live)
}

#[boxed]
async fn look_at(cluster: &Cluster, look: &Look) -> Result<Sight, landfall_cluster::Error> {
    let mut sight = Sight::default();
    if !look.objects.is_empty() {
        sight.objects = cluster.get_all_lately(&look.objects).await?;
    }
    for selection in &look.selected {
        let options = ListOptions {
            namespace: selection.namespace.clone(),
            label_selector: Some(selection.labels.clone()),
            ..ListOptions::default()
        };
        sight.selected.extend(cluster.list(&selection.gvk, &options).await?.iter().map(Object::key));
    }
    sight.selected.sort();
    sight.selected.dedup();
    Ok(sight)
}
