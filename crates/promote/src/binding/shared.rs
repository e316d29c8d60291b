//! What several places of a text say by one scalar: aliases and merge keys.

use landfall_yaml::{Document, Kind, Node};

use super::{BindingPath, DEEPEST, MOST_BINDINGS, Part};

/// How many merges of merges are followed.
const MOST_MERGES: usize = 16;
/// The key that takes over another mapping's entries.
const MERGE: &str = "<<";

/// A scalar that is said at several places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Where it is written.
    pub path: BindingPath,
    /// The line of that, from 1.
    pub line: usize,
    /// Where else it is meant, each with its line.
    pub uses: Vec<(BindingPath, usize)>,
}

/// Who else says what stands at a place, where it comes by an alias or a merge, or is named by one.
pub fn shared_at(text: &str, path: &BindingPath) -> Option<Shared> {
    let documents = landfall_yaml::parse(text).ok()?;
    let [document] = documents.as_slice() else { return None };
    shared_in(document, path)
}

pub(super) fn shared_in(document: &Document<'_>, path: &BindingPath) -> Option<Shared> {
    let (node, _) = resolved(document, path)?;
    let mut all = Vec::new();
    places(document.root(), 0, &mut Vec::new(), &mut all);
    let own = all.iter().find(|(_, found)| is_same(*found, node))?.0.clone();
    let mut uses = Vec::new();
    collect(&all, (node, &[]), 0, &mut uses);
    uses.retain(|(used, _)| resolved(document, used).is_some_and(|(found, _)| is_same(found, node)));
    (own != *path || !uses.is_empty()).then(|| Shared { path: own, line: node.span().start.line(), uses })
}

/// The places at which aliases of it, or of what it stands in, say it again.
fn collect(
    all: &[(BindingPath, Node<'_>)],
    (node, below): (Node<'_>, &[Part]),
    depth: usize,
    uses: &mut Vec<(BindingPath, usize)>,
) {
    if depth > MOST_MERGES {
        return;
    }
    let own = all.iter().find(|(_, found)| is_same(*found, node)).map(|(path, _)| path.clone());
    let Some(own) = own else { return };
    for (path, alias) in all.iter().filter(|(_, found)| found.kind() == Kind::Alias) {
        let target = alias.target();
        let Some((above, _)) = all.iter().find(|(_, found)| is_same(*found, target)) else { continue };
        let Some(within) = own.0.strip_prefix(above.0.as_slice()) else { continue };
        if uses.len() >= MOST_BINDINGS {
            return;
        }
        let mut at = path.0.clone();
        // What is merged stands in the mapping itself.
        if let Some(merge) = at.iter().rposition(|part| *part == Part::Key(MERGE.to_owned()))
            && at[merge + 1..].iter().all(|part| matches!(part, Part::Index(_)))
        {
            at.truncate(merge);
        }
        let rest: Vec<Part> = within.iter().chain(below).cloned().collect();
        at.extend(rest.iter().cloned());
        let used = (BindingPath(at), alias.span().start.line());
        if !uses.contains(&used) {
            uses.push(used);
            collect(all, (*alias, &rest), depth + 1, uses);
        }
    }
}

/// Every node with its own path: aliases are not followed.
fn places<'d>(node: Node<'d>, depth: usize, path: &mut Vec<Part>, found: &mut Vec<(BindingPath, Node<'d>)>) {
    found.push((BindingPath(path.clone()), node));
    if depth > DEEPEST {
        return;
    }
    for (key, inner) in node.entries() {
        let Some(key) = key.target().text() else { continue };
        path.push(Part::Key(key.to_owned()));
        places(inner, depth + 1, path, found);
        path.pop();
    }
    for (at, inner) in node.items().enumerate() {
        path.push(Part::Index(at));
        places(inner, depth + 1, path, found);
        path.pop();
    }
}

fn is_same(one: Node<'_>, other: Node<'_>) -> bool {
    one.span() == other.span() && one.kind() == other.kind()
}

/// The node at a path, aliases and merges followed, and as what it is named there: an alias perhaps.
pub(super) fn resolved<'d>(document: &'d Document<'d>, path: &BindingPath) -> Option<(Node<'d>, Node<'d>)> {
    let mut named = document.root();
    for part in &path.0 {
        let here = named.target();
        named = match part {
            Part::Index(index) => here.items().nth(*index)?,
            Part::Key(key) => match here.get(key) {
                Some(found) => found,
                None => fields(here).into_iter().find(|(name, _)| name == key)?.1,
            },
        };
    }
    Some((named.target(), named))
}

/// The entries of a mapping, those that it merges among them.
pub(super) fn fields(node: Node<'_>) -> Vec<(String, Node<'_>)> {
    let mut found = Vec::new();
    gather(node.target(), 0, &mut found);
    found
}

fn gather<'d>(node: Node<'d>, depth: usize, found: &mut Vec<(String, Node<'d>)>) {
    let mut merged = Vec::new();
    for (key, value) in node.entries() {
        match key.target().text() {
            Some(MERGE) => merged.push(value.target()),
            // What the mapping says itself counts, and of two merges the first.
            Some(key) if !found.iter().any(|(known, _)| known == key) => found.push((key.to_owned(), value)),
            _ => {}
        }
    }
    if depth >= MOST_MERGES {
        return;
    }
    for from in merged {
        gather(from, depth + 1, found);
        for item in from.items() {
            gather(item.target(), depth + 1, found);
        }
    }
}
