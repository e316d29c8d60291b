//! `clusters`: those that Argo CD's Secrets name, and the one that all lives in.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answers::{Cluster, Question};
use super::generators::{Run, Stop, unanswered};
use super::params::{Param, Params};
use super::selector::Selector;
use super::slug::sanitized;
use crate::project::IN_CLUSTER;

pub(crate) fn params(run: &mut Run<'_>, spec: &Value) -> Result<Vec<Params>, Stop> {
    let known = match run.answers.known_clusters() {
        None => return Err(run.asks(Question::Clusters)),
        Some(Err(why)) => return Err(unanswered(why).while_("error getting cluster secrets")),
        Some(Ok(clusters)) => clusters.clone(),
    };
    let selector = Selector::of(spec)?.unwrap_or_default();
    // Two Secrets of one name are one cluster: the later one.
    let by_name: BTreeMap<&str, &Cluster> =
        known.iter().filter(|it| selector.selects(&it.labels)).map(|it| (it.name.as_str(), it)).collect();
    let mut found = Vec::new();
    for cluster in by_name.values() {
        let mut params = about(run, cluster);
        run.add_values(spec, &mut params)?;
        found.push(params);
    }
    let has_own = by_name.values().any(|cluster| cluster.server == IN_CLUSTER.0);
    // It has no labels: where some are asked for, it is not meant.
    if selector.is_empty() && !has_own {
        let mut params: Params =
            [("name", IN_CLUSTER.1), ("nameNormalized", IN_CLUSTER.1), ("server", IN_CLUSTER.0), ("project", "")]
                .map(|(key, text)| (key.to_owned(), Param::text(text)))
                .into();
        run.add_values(spec, &mut params)?;
        found.push(params);
    }
    if spec.get("flatList").and_then(Value::as_bool).unwrap_or_default() {
        let all = found.into_iter().map(Param::Map).collect();
        return Ok(vec![Params::from([("clusters".to_owned(), Param::List(all))])]);
    }
    Ok(found)
}

fn about(run: &Run<'_>, cluster: &Cluster) -> Params {
    let mut params = Params::from([
        ("name".to_owned(), Param::text(&cluster.name)),
        ("nameNormalized".to_owned(), Param::text(sanitized(&cluster.name))),
        ("server".to_owned(), Param::text(&cluster.server)),
        ("project".to_owned(), Param::text(&cluster.project)),
    ]);
    let both = [("annotations", &cluster.annotations), ("labels", &cluster.labels)];
    if run.templates.is_go() {
        let some = both.into_iter().filter(|(_, texts)| !texts.is_empty());
        let metadata = some.map(|(name, texts)| (name.to_owned(), Param::Texts(texts.clone()))).collect();
        params.insert("metadata".to_owned(), Param::Map(metadata));
    } else {
        for (name, texts) in both {
            params.extend(texts.iter().map(|(key, text)| (format!("metadata.{name}.{key}"), Param::text(text))));
        }
    }
    params
}
