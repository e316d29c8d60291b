//! How a chart's values and what the user gave become one (helm: `pkg/chartutil/coalesce.go`).
//!
//! The functions write into maps in place and share nested maps exactly where Helm does: whether a change made through
//! a parent's table shows in a subchart decides bytes.

use landfall_gotemplate::{Data, Map, Str, Value, format};

use crate::chart::Chart;
use crate::dialect::Dialect;
use crate::error::Mismatch;
use crate::warning::Warnings;

/// What becomes of a null that overrides a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// It takes the key away (`CoalesceValues`).
    Remove,
    /// It takes the key away, and a chart's own nulls are left out: Helm 4's `CoalesceValues`.
    Clean,
    /// It stays, for a later pass to see (`MergeValues`).
    Keep,
}

impl Nulls {
    /// How a dialect brings values together for the last time.
    pub(crate) fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::V3 => Nulls::Remove,
            Dialect::V4 => Nulls::Clean,
        }
    }
}

/// The key under which values are shared with all subcharts.
pub(crate) const GLOBAL: &str = "global";

/// Brings the user's values and a chart's defaults together, subcharts included; the user's map is not touched.
pub(crate) fn coalesce_values(
    chart: &Chart,
    values: &Map,
    nulls: Nulls,
    warnings: &mut Warnings,
) -> Result<Map, Mismatch> {
    let values = deep_copy_map(values);
    coalesce(chart, &values, "", nulls, warnings)?;
    Ok(values)
}

fn coalesce(chart: &Chart, dest: &Map, prefix: &str, nulls: Nulls, warnings: &mut Warnings) -> Result<(), Mismatch> {
    defaults_into(chart, dest, prefix, nulls, warnings);
    for subchart in &chart.dependencies {
        let name = subchart.name();
        let table = match dest.get(name) {
            None => {
                let table = Map::new();
                dest.insert(name, table.clone());
                table
            }
            Some(value) => match value.as_map() {
                Some(table) => table.clone(),
                None => {
                    let shown = format::sprintf(b"%t", &[value]);
                    return Err(Mismatch {
                        name: name.to_owned(),
                        found: String::from_utf8_lossy(&shown).into_owned(),
                    });
                }
            },
        };
        let prefix = joined(prefix, &chart.metadata.name);
        globals_into(&table, dest, &prefix, warnings);
        coalesce(subchart, &table, &prefix, nulls, warnings)?;
    }
    Ok(())
}

/// Puts the parent's globals into a subchart's table; the parent's win.
fn globals_into(dest: &Map, src: &Map, prefix: &str, warnings: &mut Warnings) {
    let dest_globals = match dest.get(GLOBAL) {
        None => Map::new(),
        Some(value) => match value.as_map() {
            Some(map) => map.clone(),
            None => {
                return warnings.add(
                    "coalesce.go:138",
                    format!("warning: skipping globals because destination {GLOBAL} is not a table."),
                );
            }
        },
    };
    let src_globals = match src.get(GLOBAL) {
        None => Map::new(),
        Some(value) => match value.as_map() {
            Some(map) => map.clone(),
            None => {
                return warnings.add(
                    "coalesce.go:145",
                    format!("warning: skipping globals because source {GLOBAL} is not a table."),
                );
            }
        },
    };
    for (key, value) in src_globals.entries() {
        let name = key.to_string_lossy();
        if let Some(table) = value.as_map() {
            // A copy of this level only: what is nested deeper stays shared between parent and child, as in Helm.
            let copy: Map = table.entries().into_iter().collect();
            match dest_globals.get(&key) {
                None => {}
                Some(existing) => match existing.as_map() {
                    None => {
                        warnings.add(
                            "coalesce.go:161",
                            format!(
                                "Conflict: cannot merge map onto non-map for {}. Skipping.",
                                format::quote(key.as_bytes())
                            ),
                        );
                        continue;
                    }
                    Some(existing) => {
                        tables(&copy, existing, &joined(prefix, &name), Nulls::Keep, warnings);
                    }
                },
            }
            dest_globals.insert(key, Value::from(copy).with_origin(value.origin()));
        } else if dest_globals.get(&key).is_some_and(|existing| existing.as_map().is_some()) {
            warnings.add("coalesce.go:175", format!("key {name} is table. Skipping"));
        } else {
            dest_globals.insert(key, value);
        }
    }
    dest.insert(GLOBAL, dest_globals);
}

/// Puts a chart's defaults under the user's values.
fn defaults_into(chart: &Chart, values: &Map, prefix: &str, nulls: Nulls, warnings: &mut Warnings) {
    let prefix = joined(prefix, &chart.metadata.name);
    let defaults = deep_copy_map(&chart.values);
    for (key, default) in defaults.entries() {
        let Some(value) = values.get(&key) else {
            if nulls == Nulls::Clean {
                if default.is_nil() {
                    continue;
                }
                clean(&default);
            }
            values.insert(key, default);
            continue;
        };
        if value.is_nil() && nulls != Nulls::Keep {
            values.remove(&key);
        } else if let Some(dest) = value.as_map() {
            let name = key.to_string_lossy();
            match default.as_map() {
                None if default.is_nil() => {}
                None => {
                    warnings.add("coalesce.go:237", format!("warning: skipped value for {prefix}.{name}: Not a table."))
                }
                Some(src) => {
                    let child = chart.dependencies.iter().any(|subchart| subchart.name() == name);
                    let nulls = if child { Nulls::Keep } else { nulls };
                    if nulls == Nulls::Clean {
                        clean(&default);
                    }
                    tables(dest, src, &joined(&prefix, &name), nulls, warnings);
                }
            }
        }
    }
}

/// Takes nulls out of a table and the tables in it, in place (`cleanNilValues`).
fn clean(value: &Value) {
    let Some(table) = value.as_map() else { return };
    for (key, value) in table.entries() {
        if value.is_nil() {
            table.remove(&key);
        } else {
            clean(&value);
        }
    }
}

/// Merges one table into another that wins (`coalesceTablesFullKey`).
pub(crate) fn tables(dest: &Map, src: &Map, prefix: &str, nulls: Nulls, warnings: &mut Warnings) {
    let given: Vec<Str> = src.entries().into_iter().filter(|(_, value)| !value.is_nil()).map(|(key, _)| key).collect();
    for (key, value) in dest.entries() {
        if value.is_nil() {
            src.insert(key, value);
        }
    }
    for (key, value) in src.entries() {
        let full = || joined(prefix, &key.to_string_lossy());
        let Some(existing) = dest.get(&key) else {
            dest.insert(key, value);
            continue;
        };
        if nulls != Nulls::Keep && existing.is_nil() && given.binary_search(&key).is_ok() {
            dest.remove(&key);
        } else if let Some(table) = value.as_map() {
            match existing.as_map() {
                Some(dest) => tables(dest, table, &full(), nulls, warnings),
                None => warnings.add(
                    "coalesce.go:316",
                    format!("warning: cannot overwrite table with non table for {} ({})", full(), shown(&value)),
                ),
            }
        } else if existing.as_map().is_some() && !value.is_nil() {
            warnings.add(
                "coalesce.go:319",
                format!("warning: destination for {} is a table. Ignoring non-table value ({})", full(), shown(&value)),
            );
        }
    }
}

fn shown(value: &Value) -> String {
    String::from_utf8_lossy(&format::display(value)).into_owned()
}

fn joined(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// A copy that shares no map with the original; origins stay.
pub(crate) fn deep_copy(value: &Value) -> Value {
    match value.data() {
        Data::Map(map) => Value::from(deep_copy_map(map)).with_origin(value.origin()),
        Data::List(list) if !list.is_nil() => {
            Value::from(list.like(list.values().iter().map(deep_copy).collect())).with_origin(value.origin())
        }
        _ => value.clone(),
    }
}

/// [`deep_copy`] of a map; a nil map becomes an empty one.
pub(crate) fn deep_copy_map(map: &Map) -> Map {
    map.entries().into_iter().map(|(key, value)| (key, deep_copy(&value))).collect()
}
