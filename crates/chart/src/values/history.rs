//! What every layer says about a path, read once.

use landfall_gotemplate::{Map, Value};

use super::ValueLayers;
use super::read::{read_layer, read_values_traced};
use crate::chart::Chart;
use crate::origin::{Origins, Setting};

/// What the charts' values files and the user's layers say, lowest first: a subchart's defaults, then those of the charts
/// above it, then files and flags in the order in which they win.
#[derive(Debug)]
pub struct ValuesHistory {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    /// The keys under which the chart's values stand in the root's.
    scope: Vec<String>,
    origins: Origins,
    values: Map,
}

impl ValuesHistory {
    /// Reads the layers of a chart and of what the user gave.
    pub fn of(chart: &Chart, given: &ValueLayers) -> Self {
        let mut history = ValuesHistory { layers: Vec::new() };
        history.defaults(chart, given, &[]);
        for file in &given.files {
            let mut origins = Origins::on();
            if let Ok(values) = read_layer(&file.as_shown(), given.dialect, &mut origins) {
                history.layers.push(Layer { scope: Vec::new(), origins, values });
            }
        }
        let mut sets: Vec<_> = given.sets.iter().collect();
        sets.sort_by_key(|line| line.flag);
        for line in sets {
            let mut origins = Origins::on();
            let alone = ValueLayers { files: Vec::new(), sets: vec![line.clone()], dialect: given.dialect };
            if let Ok(values) = alone.merge_traced(&mut origins) {
                history.layers.push(Layer { scope: Vec::new(), origins, values });
            }
        }
        history
    }

    fn defaults(&mut self, chart: &Chart, given: &ValueLayers, scope: &[String]) {
        for child in &chart.dependencies {
            let scope: Vec<String> = scope.iter().cloned().chain([child.name().to_owned()]).collect();
            self.defaults(child, given, &scope);
        }
        let mut origins = Origins::on();
        let values = read_values_traced(chart, given.dialect, &mut origins);
        self.layers.push(Layer { scope: scope.to_vec(), origins, values });
    }

    /// What the layers say about a path (`web.hosts[0].name`), lowest first.
    pub fn settings(&self, path: &str) -> Vec<Setting> {
        let steps = steps(path);
        let told = self.layers.iter().filter_map(|layer| {
            let below = steps.strip_prefix_of(&layer.scope)?;
            layer.setting(below)
        });
        told.collect()
    }
}

impl Layer {
    fn setting(&self, steps: &[Step]) -> Option<Setting> {
        let mut here = Value::from(self.values.clone());
        let mut origin = here.origin();
        for step in steps {
            let below = match step {
                Step::Key(key) => match here.as_map() {
                    Some(map) => map.get(key)?,
                    // Something else in the way of the path decides about it too.
                    None => break,
                },
                Step::At(at) => match here.as_list() {
                    Some(list) => list.values().get(*at)?.clone(),
                    None => break,
                },
            };
            here = below;
            origin = here.origin();
        }
        Some(Setting { source: self.origins.source(origin)?, value: here })
    }
}

/// A step of a path.
#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    At(usize),
}

trait Below {
    fn strip_prefix_of(&self, scope: &[String]) -> Option<&[Step]>;
}

impl Below for Vec<Step> {
    fn strip_prefix_of(&self, scope: &[String]) -> Option<&[Step]> {
        let (front, rest) = self.split_at_checked(scope.len())?;
        let same = front.iter().zip(scope).all(|(step, key)| matches!(step, Step::Key(own) if own == key));
        (same && !rest.is_empty()).then_some(rest)
    }
}

/// A dotted path as steps; dots in keys stand behind a backslash.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut key = String::new();
    let mut chars = path.chars();
    let flush = |key: &mut String, steps: &mut Vec<Step>| {
        if !key.is_empty() {
            steps.push(Step::Key(std::mem::take(key)));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.extend(chars.next()),
            '.' => flush(&mut key, &mut steps),
            '[' => {
                flush(&mut key, &mut steps);
                let index: String = chars.by_ref().take_while(|c| *c != ']').collect();
                match index.parse() {
                    Ok(at) => steps.push(Step::At(at)),
                    Err(_) => steps.push(Step::Key(index)),
                }
            }
            c => key.push(c),
        }
    }
    flush(&mut key, &mut steps);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;
    use crate::values::SetFlag;

    #[test]
    fn every_layer_that_speaks_of_a_path_is_told_lowest_first() {
        let tree: Tree = [
            ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
            ("values.yaml", "db:\n  size: 2\n  hosts: [{name: a}]\n"),
            ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n"),
            ("charts/db/values.yaml", "size: 1\na.b: 7\n"),
        ]
        .into_iter()
        .map(|(path, text)| (path, text.as_bytes()))
        .collect();
        let chart = Chart::load(&tree, "shop").expect("a chart");
        let mut given = ValueLayers::new();
        given.file("prod.yaml", "db:\n  size: 3\n").set(SetFlag::Set, "x=1,db.size=4");
        let history = ValuesHistory::of(&chart, &given);
        let told = |path: &str| -> Vec<String> {
            history.settings(path).iter().map(|setting| setting.source.to_string()).collect()
        };
        assert_eq!(
            told("db.size"),
            ["shop/charts/db/values.yaml:1:1", "shop/values.yaml:2:3", "prod.yaml:2:3", "--set x=1,db.size=4"]
        );
        assert_eq!(told("db.hosts[0].name"), ["shop/values.yaml:3:12"]);
        assert_eq!(told("db.a\\.b"), ["shop/charts/db/values.yaml:2:1"]);
        assert!(told("db.nothing").is_empty());
    }
}
