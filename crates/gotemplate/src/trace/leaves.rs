use rustc_hash::FxHashSet;

use super::Recording;
use super::recording::Derived;
use crate::value::{Origin, Str};

/// The caller's own origins that others are made of, each once, as they appear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaves {
    /// What it is made of.
    pub data: Vec<Origin>,
    /// Entries whose keys it is made of.
    pub keys: Vec<Origin>,
    /// What decided about it.
    pub control: Vec<Origin>,
    /// The functions that made it, the last one first.
    pub functions: Vec<Str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Data,
    Key,
    Control,
}

impl Recording {
    /// What values of these origins are made of, and what decided about them; `controls` only decided.
    pub fn leaves(
        &self,
        origins: impl IntoIterator<Item = Origin>,
        controls: impl IntoIterator<Item = Origin>,
    ) -> Leaves {
        let mut leaves = Leaves::default();
        let mut seen = FxHashSet::default();
        let mut functions = FxHashSet::default();
        let mut work: Vec<(Origin, Role)> = origins.into_iter().map(|origin| (origin, Role::Data)).collect();
        work.extend(controls.into_iter().map(|origin| (origin, Role::Control)));
        work.reverse();
        while let Some((origin, role)) = work.pop() {
            if matches!(origin, Origin::NONE | Origin::MADE) || !seen.insert((origin, role)) {
                continue;
            }
            match self.derived(origin) {
                None => match role {
                    Role::Data => leaves.data.push(origin),
                    Role::Key => leaves.keys.push(origin),
                    Role::Control => leaves.control.push(origin),
                },
                Some(Derived::Made { by, of }) => {
                    if let Some(by) = by.filter(|_| role == Role::Data)
                        && functions.insert(by)
                    {
                        leaves.functions.extend(self.functions.get(by as usize).cloned());
                    }
                    work.extend(of.iter().rev().map(|origin| (*origin, role)));
                }
                Some(Derived::Key(entry)) => {
                    work.push((*entry, if role == Role::Data { Role::Key } else { role }));
                }
                Some(Derived::Control(inner) | Derived::Members(inner) | Derived::Passed(inner)) => {
                    work.push((*inner, Role::Control))
                }
                Some(Derived::Text { pieces, .. }) => {
                    for piece in pieces.iter().rev() {
                        work.push((piece.control, Role::Control));
                        work.push((piece.origin, role));
                    }
                }
            }
        }
        leaves
    }
}
