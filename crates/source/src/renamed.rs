//! Where a file was before it was renamed.

use std::collections::HashSet;

use gix::ObjectId;
use landfall_chart::Budget;

use crate::changes::entries;

/// More files that went at once are not compared.
const MOST_GONE: usize = 500;

/// Where a file was that is new in a tree: where one went with the same content, or with at least half of its lines, as git tells it.
pub(crate) fn moved_from(
    repository: &gix::Repository,
    (before, after): (ObjectId, ObjectId),
    (path, blob): (&str, ObjectId),
) -> Option<String> {
    let (mut gone, mut budget) = (Vec::new(), Budget::default());
    leaving(repository, (Some(before), Some(after)), "", (0, &mut budget), &mut gone)?;
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    // Of several that say the same, the one that is called so.
    gone.sort_by_key(|(was, _)| name(was) != name(path));
    if let Some((was, _)) = gone.iter().find(|(_, id)| *id == blob) {
        return Some(was.clone());
    }
    let own = lines(repository, blob, &mut budget)?;
    let mut nearest: Option<(usize, String)> = None;
    for (was, id) in gone {
        let Some(lines) = lines(repository, id, &mut budget) else { continue };
        let shared = own.intersection(&lines).count();
        let is_same = shared > 0 && shared * 2 >= own.len().max(lines.len());
        if is_same && nearest.as_ref().is_none_or(|(most, _)| shared > *most) {
            nearest = Some((shared, was));
        }
    }
    nearest.map(|(_, was)| was)
}

/// The files of one tree that are not in another one; `None` when they are too many.
fn leaving(
    repository: &gix::Repository,
    (before, after): (Option<ObjectId>, Option<ObjectId>),
    path: &str,
    (depth, budget): (usize, &mut Budget),
    found: &mut Vec<(String, ObjectId)>,
) -> Option<()> {
    budget.directory(depth).ok()?;
    let [old, new] = [entries(repository, before)?, entries(repository, after)?];
    budget.steps((old.len() + new.len()) as u64).ok()?;
    for (name, (id, mode)) in &old {
        let is = new.get(name);
        if is == Some(&(*id, *mode)) {
            continue;
        }
        let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if mode.is_tree() {
            let there = is.filter(|(_, mode)| mode.is_tree()).map(|(id, _)| *id);
            leaving(repository, (Some(*id), there), &below, (depth + 1, budget), found)?;
        } else if mode.is_blob() && is.is_none_or(|(_, mode)| mode.is_tree()) {
            if found.len() >= MOST_GONE {
                return None;
            }
            found.push((below, *id));
        }
    }
    Some(())
}

/// The lines of a file that say something.
fn lines(repository: &gix::Repository, blob: ObjectId, budget: &mut Budget) -> Option<HashSet<String>> {
    budget.unpacked(repository.find_header(blob).ok()?.size()).ok()?;
    let object = repository.find_object(blob).ok()?;
    let text = String::from_utf8_lossy(&object.data);
    Some(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
