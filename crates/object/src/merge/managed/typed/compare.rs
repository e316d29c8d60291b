use serde_json::Value;

use super::{Atom, atom, below, item_element};
use crate::merge::managed::{Element, FieldSet};
use crate::schema::Node;

/// What differs between two values.
#[derive(Debug, Default)]
pub(in crate::merge::managed) struct Comparison {
    pub(in crate::merge::managed) removed: FieldSet,
    pub(in crate::merge::managed) modified: FieldSet,
    pub(in crate::merge::managed) added: FieldSet,
}

impl Comparison {
    /// What is another value, or new.
    pub(in crate::merge::managed) fn changed(&self) -> FieldSet {
        self.modified.union(&self.added)
    }
}

/// Compares two values; `None` is "not there".
pub(in crate::merge::managed) fn compare(
    schema: Node<'_>,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<Comparison, String> {
    let mut walk = Walk { path: Vec::new(), comparison: Comparison::default() };
    walk.value(schema, left, right)?;
    Ok(walk.comparison)
}

/// Two values walked together. Most fields are alike, so a path is borrowed until something differs at it.
struct Walk<'a> {
    path: Vec<Step<'a>>,
    comparison: Comparison,
}

/// A step of the path walked.
enum Step<'a> {
    /// Into a field.
    Field(&'a str),
    /// Into an item.
    Item(Element),
}

/// Adds the path to a set.
fn insert(set: &mut FieldSet, path: &[Step<'_>]) {
    let path: Vec<Element> = path
        .iter()
        .map(|step| match step {
            Step::Field(name) => Element::Field((*name).to_owned()),
            Step::Item(element) => element.clone(),
        })
        .collect();
    set.insert(&path);
}

impl<'a> Walk<'a> {
    fn value(&mut self, schema: Node<'_>, left: Option<&'a Value>, right: Option<&'a Value>) -> Result<(), String> {
        let (left_atom, right_atom) = (atom(schema, left), atom(schema, right));
        let leaf = if right.is_none() {
            self.atom(schema, left_atom, left, right)?
        } else if left.is_none() || left_atom == right_atom {
            self.atom(schema, right_atom, left, right)?
        } else {
            self.atom(schema, left_atom, left, right)?;
            self.atom(schema, right_atom, left, right)?
        };
        if !leaf {
            if left.is_none() {
                insert(&mut self.comparison.added, &self.path);
            } else if right.is_none() {
                insert(&mut self.comparison.removed, &self.path);
            }
        }
        Ok(())
    }

    /// Walks one atom; true when it was treated as one value.
    fn atom(
        &mut self,
        schema: Node<'_>,
        atom: Atom<'_>,
        left: Option<&'a Value>,
        right: Option<&'a Value>,
    ) -> Result<bool, String> {
        match atom {
            Atom::Scalar | Atom::AtomicList | Atom::Map { atomic: true } => {
                self.leaf(left, right);
                Ok(true)
            }
            Atom::Map { atomic: false } => {
                let (before, after) = (left.and_then(Value::as_object), right.and_then(Value::as_object));
                if before.is_none_or(|map| map.is_empty()) && after.is_none_or(|map| map.is_empty()) {
                    self.leaf(left, right);
                    return Ok(true);
                }
                let keys = before.into_iter().flat_map(|map| map.keys());
                let new = after.into_iter().flat_map(|map| map.keys());
                let new = new.filter(|key| before.is_none_or(|map| !map.contains_key(*key)));
                for key in keys.chain(new) {
                    self.path.push(Step::Field(key));
                    let (left, right) = (before.and_then(|map| map.get(key)), after.and_then(|map| map.get(key)));
                    self.value(below(schema, key), left, right)?;
                    self.path.pop();
                }
                Ok(false)
            }
            Atom::List(keys) => {
                let list = |value: Option<&'a Value>| value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let (before, after) = (list(left), list(right));
                if before.is_empty() && after.is_empty() {
                    self.leaf(left, right);
                    return Ok(true);
                }
                self.items(schema, keys, before, after)?;
                Ok(false)
            }
        }
    }

    fn leaf(&mut self, left: Option<&Value>, right: Option<&Value>) {
        let set = match (left, right) {
            (None, _) => &mut self.comparison.added,
            (_, None) => &mut self.comparison.removed,
            (Some(left), Some(right)) if left != right => &mut self.comparison.modified,
            _ => return,
        };
        insert(set, &self.path);
    }

    fn items(
        &mut self,
        schema: Node<'_>,
        keys: &[Box<str>],
        before: &'a [Value],
        after: &'a [Value],
    ) -> Result<(), String> {
        let mut groups: Vec<(Element, Vec<&'a Value>, Vec<&'a Value>)> = Vec::new();
        for (right, item) in before.iter().map(|item| (false, item)).chain(after.iter().map(|item| (true, item))) {
            let element = item_element(schema, keys, item)?;
            let at = groups.iter().position(|(known, _, _)| *known == element).unwrap_or_else(|| {
                groups.push((element, Vec::new(), Vec::new()));
                groups.len() - 1
            });
            if right { groups[at].2.push(item) } else { groups[at].1.push(item) }
        }
        for (element, left, right) in groups {
            self.path.push(Step::Item(element));
            match (left.as_slice(), right.as_slice()) {
                ([] | [_], [] | [_]) => self.value(schema.item(), left.first().copied(), right.first().copied())?,
                ([_, _, ..], [_, _, ..]) => {
                    if left != right {
                        insert(&mut self.comparison.modified, &self.path);
                    }
                }
                ([_, _, ..], _) => {
                    if let Some(right) = right.first() {
                        self.value(schema.item(), None, Some(right))?;
                    }
                    insert(&mut self.comparison.removed, &self.path);
                }
                (_, [_, _, ..]) => {
                    if let Some(left) = left.first() {
                        self.value(schema.item(), Some(left), None)?;
                    }
                    insert(&mut self.comparison.added, &self.path);
                }
            }
            self.path.pop();
        }
        Ok(())
    }
}
