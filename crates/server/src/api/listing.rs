//! A list of Applications: filtered, counted, sorted, and a page of it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use landfall_diag::{Diagnostic, code};

use super::shapes::{Line, ListQuery, Listing};

/// Applications on a page where nobody says how many, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// By what a list can be sorted.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Name,
    Project,
    Sync,
    Health,
    Since,
}

const SORTS: [(&str, Sort); 5] = [
    ("name", Sort::Name),
    ("project", Sort::Project),
    ("sync", Sort::Sync),
    ("health", Sort::Health),
    ("since", Sort::Since),
];

/// How an Application can stand against git.
const SYNCS: [&str; 3] = ["Synced", "OutOfSync", "Unknown"];

/// Health from what weighs most to what weighs nothing.
const WORST_FIRST: [&str; 6] = ["Unknown", "Degraded", "Missing", "Progressing", "Suspended", "Healthy"];

impl Sort {
    fn compare(self, a: &Line, b: &Line) -> Ordering {
        let rank = |line: &Line| WORST_FIRST.iter().position(|word| *word == line.health);
        let first = match self {
            Sort::Name => Ordering::Equal,
            Sort::Project => a.project.cmp(&b.project),
            // `Unknown`, `OutOfSync`, `Synced`: what wants a look first.
            Sort::Sync => b.sync.cmp(&a.sync),
            Sort::Health => rank(a).cmp(&rank(b)),
            Sort::Since => a.since.cmp(&b.since),
        };
        first.then_with(|| (&a.name, &a.namespace).cmp(&(&b.name, &b.namespace)))
    }
}

/// What is asked for of these lines.
///
/// # Errors
/// [`code::BAD_REQUEST`]: by something that a list is not sorted by, or that no Application has.
pub(super) fn listed(lines: impl Iterator<Item = Line>, query: &ListQuery) -> Result<Listing, Diagnostic> {
    let (sort, backwards) = sort_of(query)?;
    are_known("sync", &query.sync, &SYNCS)?;
    are_known("health", &query.health, &WORST_FIRST)?;
    let mut found: Vec<Line> = lines.filter(|line| fits(line, query)).collect();
    let (mut by_sync, mut by_health) = (BTreeMap::new(), BTreeMap::new());
    for line in &found {
        *by_sync.entry(line.sync.clone()).or_default() += 1;
        *by_health.entry(line.health.clone()).or_default() += 1;
    }
    found.sort_by(|a, b| if backwards { sort.compare(b, a) } else { sort.compare(a, b) });
    let total = found.len();
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let items = found.into_iter().skip(query.offset).take(limit).collect();
    Ok(Listing { items, total, offset: query.offset, by_sync, by_health, erring_sets: Vec::new() })
}

fn sort_of(query: &ListQuery) -> Result<(Sort, bool), Diagnostic> {
    let asked = query.sort.as_deref().unwrap_or("name");
    let (word, backwards) = match asked.strip_prefix('-') {
        Some(word) => (word, true),
        None => (asked, false),
    };
    let known = SORTS.iter().find(|(name, _)| *name == word);
    known.map(|(_, sort)| (*sort, backwards)).ok_or_else(|| {
        Diagnostic::error(code::BAD_REQUEST, format!("Applications are not sorted by `{word}`"))
            .listing("by", SORTS.iter().map(|(name, _)| name))
    })
}

/// A word that nothing has would find nothing, and look as if there were nothing.
fn are_known(what: &str, words: &[String], known: &[&str]) -> Result<(), Diagnostic> {
    let is_known = |word: &&String| known.iter().any(|known| known.eq_ignore_ascii_case(word));
    let Some(word) = words.iter().find(|word| !is_known(word)) else { return Ok(()) };
    let text = format!("`{word}` is no `{what}` of an Application");
    let diagnostic = Diagnostic::error(code::BAD_REQUEST, text).listing("there are", known);
    Err(match landfall_diag::nearest(word, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    })
}

fn fits(line: &Line, query: &ListQuery) -> bool {
    let among = |wanted: &[String], word: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(word))
    };
    let is = |wanted: &Option<String>, word: &str| wanted.as_deref().is_none_or(|wanted| wanted == word);
    let has = |search: &str| {
        let search = search.to_lowercase();
        [&line.name, &line.project, &line.repository, &line.path].iter().any(|it| it.to_lowercase().contains(&search))
    };
    let of_repository = |address: &str| landfall_source::repository_key(address) == line.repository;
    among(&query.projects, &line.project)
        && among(&query.sync, &line.sync)
        && among(&query.health, &line.health)
        && is(&query.name, &line.name)
        && is(&query.namespace, &line.namespace)
        && query.repository.as_deref().is_none_or(of_repository)
        && query.search.as_deref().is_none_or(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> impl Iterator<Item = Line> {
        [
            ("b", "shops", "Synced", "Healthy"),
            ("a", "shops", "OutOfSync", "Degraded"),
            ("c", "infra", "Synced", "Missing"),
        ]
        .into_iter()
        .map(|(name, project, sync, health)| Line {
            name: name.to_owned(),
            namespace: "argocd".to_owned(),
            project: project.to_owned(),
            sync: sync.to_owned(),
            health: health.to_owned(),
            repository: "git.example.com/shop".to_owned(),
            ..Line::default()
        })
    }

    fn names(query: &ListQuery) -> Vec<String> {
        listed(lines(), query).expect("listed").items.into_iter().map(|line| line.name).collect()
    }

    #[test]
    fn a_list_is_filtered_and_sorted_and_worst_comes_first() {
        assert_eq!(names(&ListQuery::default()), ["a", "b", "c"]);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(names(&ListQuery { sort: text("-name"), ..ListQuery::default() }), ["c", "b", "a"]);
        assert_eq!(names(&ListQuery { sort: text("health"), ..ListQuery::default() }), ["a", "c", "b"]);
        assert_eq!(names(&ListQuery { projects: vec!["infra".to_owned()], ..ListQuery::default() }), ["c"]);
        assert_eq!(names(&ListQuery { sync: vec!["synced".to_owned()], ..ListQuery::default() }), ["b", "c"]);
        assert_eq!(names(&ListQuery { name: text("a"), ..ListQuery::default() }), ["a"]);
        assert_eq!(names(&ListQuery { search: text("INF"), ..ListQuery::default() }), ["c"]);
        let address = text("https://git.example.com/shop.git");
        assert_eq!(names(&ListQuery { repository: address, ..ListQuery::default() }).len(), 3);
        let wrong = ListQuery { sync: vec!["Synced".to_owned(), "Syncd".to_owned()], ..ListQuery::default() };
        assert_eq!(listed(lines(), &wrong).expect_err("refused").helps, ["did you mean `Synced`?"]);
        assert!(listed(lines(), &ListQuery { health: vec![String::new()], ..ListQuery::default() }).is_err());
        assert!(listed(lines(), &ListQuery { sort: text("colour"), ..ListQuery::default() }).is_err());
    }

    #[test]
    fn what_is_counted_is_what_all_pages_have() {
        let query = ListQuery { offset: 1, limit: Some(1), ..ListQuery::default() };
        let page = listed(lines(), &query).expect("listed");
        assert_eq!((page.items.len(), page.total, page.offset), (1, 3, 1));
        assert_eq!(page.items[0].name, "b");
        assert_eq!(page.by_sync, BTreeMap::from([("OutOfSync".to_owned(), 1), ("Synced".to_owned(), 2)]));
        assert_eq!(page.by_health["Degraded"], 1);
    }
}
