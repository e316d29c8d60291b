//! The page of writers: every call that can write or delete an object of a cluster stands in its table, with what keeps it from a key
//! that is generated once, and with the test that drives it at one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rust_source::{is_test_file, line_of, without_literals, without_tests};
use crate::tree::TextFile;

/// The page, from the repository's root.
const PAGE: &str = "docs/writers.md";
/// What a cluster's connection offers to write with.
const VERBS: [&str; 6] = ["create", "replace", "patch", "patch_status", "apply", "delete"];
/// The same of the embedded cluster's own controllers, where they name a Secret.
const DESK_VERBS: [&str; 5] = ["create", "update", "delete", "delete_with", "modify"];
/// A bare request: what it does, only its path says.
const RAW_VERBS: [&str; 4] = ["request", "request_text", "request_events", "send"];
/// The room that is the connection: it writes what it is told to.
const CONNECTION: &str = "crates/cluster/";
/// What keeps a writer from such a key, as the table's third column begins; the first two are shown by a test.
const REASONS: [(&str, bool); 6] = [
    ("guarded", true),
    ("only creates", true),
    ("never a Secret", false),
    ("own records", false),
    ("tried only", false),
    ("a fork", false),
];

/// What one file writes with: how often by which verb.
type Calls = BTreeMap<String, usize>;

/// A row of the table.
struct Row<'a> {
    file: &'a str,
    calls: &'a str,
    reason: &'a str,
    tests: &'a str,
}

/// Gives a line for each writer that is not in the table, and for each row that is not true.
pub(super) fn check(root: &Path, files: &[TextFile]) -> Result<Vec<String>, String> {
    let page = std::fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    Ok(compare(&page, files))
}

fn compare(page: &str, files: &[TextFile]) -> Vec<String> {
    let mut findings = Vec::new();
    let sources = files.iter().filter(|file| is_shipped(&file.path));
    let found: BTreeMap<&str, Calls> =
        sources.map(|file| (file.path.as_str(), calls(&file.text))).filter(|(_, calls)| !calls.is_empty()).collect();
    for file in files.iter().filter(|file| is_shipped(&file.path)) {
        findings.extend(hidden(file));
    }
    let rows: Vec<Row<'_>> = page.lines().filter_map(row).collect();
    let tests = test_names(files);
    for (path, calls) in &found {
        let (file, said) = (path.strip_prefix("crates/").unwrap_or(path), shown(calls));
        match rows.iter().find(|row| row.file == file) {
            None => findings.push(format!(
                "{path}: writes to a cluster ({said}) and is not in {PAGE}: drive it at a key that is generated once, then add \
                 `| `{file}` | {said} | guarded: … | `its_test` |`"
            )),
            Some(row) if row.calls != said => {
                findings.push(format!("{path}: writes with {said}, and {PAGE} says {}", row.calls));
            }
            Some(_) => {}
        }
    }
    for row in rows {
        let Row { file, reason, .. } = row;
        if !found.contains_key(format!("crates/{file}").as_str()) {
            findings.push(format!("{PAGE}: {file} writes nothing, or is gone"));
        }
        let Some((_, is_tested)) = REASONS.iter().find(|(word, _)| reason.starts_with(word)) else {
            let words: Vec<&str> = REASONS.iter().map(|(word, _)| *word).collect();
            findings.push(format!("{PAGE}: {file}: `{reason}` begins with none of: {}", words.join(", ")));
            continue;
        };
        let named: Vec<&str> = row.tests.split('`').skip(1).step_by(2).collect();
        if *is_tested && named.is_empty() {
            findings.push(format!("{PAGE}: {file}: no test drives it at a key that is generated once"));
        }
        for name in named.into_iter().filter(|name| !tests.contains(name)) {
            findings.push(format!("{PAGE}: {file}: there is no test `{name}`"));
        }
    }
    findings
}

fn is_shipped(path: &str) -> bool {
    let in_crate = path.strip_prefix("crates/").and_then(|rest| rest.split_once('/'));
    path.ends_with(".rs")
        && in_crate.is_some_and(|(_, rest)| rest.starts_with("src/"))
        && !is_test_file(path)
        && !path.starts_with(CONNECTION)
}

/// `create 2, delete`.
fn shown(calls: &Calls) -> String {
    let one = |(verb, count): (&String, &usize)| if *count == 1 { verb.clone() } else { format!("{verb} {count}") };
    calls.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The calls of a file that write.
fn calls(text: &str) -> Calls {
    let code = without_tests(&without_literals(text));
    let mut calls = Calls::new();
    let is_raw = code.contains("kube::");
    for (at, _) in code.match_indices('.') {
        let Some((verb, rest)) = called(&code[at + 1..]) else { continue };
        let receiver = receiver(&code[..at]);
        let is_connection = VERBS.contains(&verb) && is_cluster(receiver);
        let is_desk = DESK_VERBS.contains(&verb) && rest.trim_start().starts_with("&SECRET");
        // `cluster.client()` is one in any file.
        let is_bare = RAW_VERBS.contains(&verb)
            && receiver == "client"
            && (is_raw || code[..at].trim_end().ends_with("client()"));
        if is_connection || is_desk || is_bare {
            *calls.entry(verb.to_owned()).or_default() += 1;
        }
    }
    calls
}

/// The name of what is called, and its arguments; the text begins behind the dot.
fn called(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(|letter: char| !is_name(letter))?;
    let (name, rest) = text.split_at(end);
    Some((name, rest.strip_prefix('(')?))
}

/// The last name of what stands in front of a dot: `self.home.cluster`, `context.cluster()`.
fn receiver(before: &str) -> &str {
    let before = before.trim_end();
    let before = before.strip_suffix("()").unwrap_or(before);
    let start = before.rfind(|letter: char| !is_name(letter)).map_or(0, |at| at + 1);
    &before[start..]
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn is_cluster(name: &str) -> bool {
    name.contains("cluster") || name == "home"
}

/// Connections that are called otherwise, so that their writes would not be found.
fn hidden(file: &TextFile) -> Vec<String> {
    let code = without_tests(&without_literals(&file.text));
    let typed = code.match_indices("Cluster").filter(|(at, _)| {
        let ends = !code[at + "Cluster".len()..].starts_with(is_name);
        let before = code[..*at].trim_end_matches("landfall_cluster::");
        ends && (before.ends_with('&') || before.ends_with(' ') || before.ends_with(':'))
    });
    let names = typed.filter_map(|(at, _)| {
        let before = code[..at].trim_end_matches("landfall_cluster::").trim_end_matches('&').trim_end();
        let before = before.strip_suffix(':').filter(|rest| !rest.ends_with(':'))?;
        let name = receiver(before);
        (!name.is_empty() && !is_cluster(name) && name.starts_with(char::is_lowercase)).then(|| (at, name.to_owned()))
    });
    // Its own type of that name has another connection.
    let is_connection = file.text.contains("landfall_cluster::") && !file.text.contains("landfall_drydock::Cluster");
    let told = |(at, name): (usize, String)| {
        let line = line_of(&code, at);
        format!("{}:{line}: a connection called `{name}`: call it `cluster`, by which writers are found", file.path)
    };
    names.filter(|_| is_connection).map(told).collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut cells = line.strip_prefix("| `")?.trim_end().strip_suffix('|')?.split(" | ");
    let file = cells.next()?.strip_suffix('`').filter(|file| file.ends_with(".rs"))?;
    let (calls, reason) = (cells.next()?.trim(), cells.next()?.trim());
    Some(Row { file, calls, reason, tests: cells.next()?.trim() })
}

/// The names of all tests.
fn test_names(files: &[TextFile]) -> BTreeSet<&str> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    rust.flat_map(|file| {
        file.text.match_indices("#[test]").chain(file.text.match_indices("#[tokio::test")).filter_map(|(at, _)| {
            let behind = &file.text[at..];
            let name = &behind[behind.find("fn ")? + 3..];
            name.split(|letter: char| !is_name(letter)).next()
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(table: &str, sources: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| TextFile { path: (*path).to_owned(), text: (*text).to_owned() };
        compare(table, &sources.iter().map(file).collect::<Vec<_>>())
    }

    const WRITER: (&str, &str) = (
        "crates/a/src/b.rs",
        "async fn f(cluster: &Cluster) { cluster.create(&x, &o).await; self.cluster\n.delete(&k, &o); text.replace('a', \"b\"); }\n\
         #[cfg(test)]\nmod tests { #[test] fn driven() { cluster.patch(); } }",
    );

    #[test]
    fn a_writer_that_is_not_in_the_table_is_found_and_named_as_its_row() {
        let found = findings("", &[WRITER]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`a/src/b.rs` | create, delete | guarded"), "{found:?}");
        assert!(findings("| `a/src/b.rs` | create, delete | guarded: asks | `driven` |", &[WRITER]).is_empty());
        let tests = ("crates/a/tests/it.rs", WRITER.1);
        let connection = ("crates/cluster/src/objects.rs", WRITER.1);
        assert!(findings("", &[tests, connection]).is_empty());
    }

    #[test]
    fn a_row_is_held_to_its_calls_its_reason_and_its_tests() {
        for wrong in [
            "| `a/src/b.rs` | create | guarded: asks | `driven` |",
            "| `a/src/b.rs` | create, delete | hopes | `driven` |",
            "| `a/src/b.rs` | create, delete | guarded: asks | – |",
            "| `a/src/b.rs` | create, delete | guarded: asks | `gone` |",
        ] {
            assert_eq!(findings(wrong, &[WRITER]).len(), 1, "{wrong}");
        }
        assert!(findings("| `a/src/b.rs` | create, delete | tried only: a dry run | – |", &[WRITER]).is_empty());
        assert_eq!(findings("| `a/src/c.rs` | create | tried only | – |", &[]).len(), 1);
    }

    #[test]
    fn what_goes_past_the_connection_or_hides_it_is_found() {
        let bare = (
            "crates/a/src/b.rs",
            "use kube::Client; fn f() { self.client.request(r); self.cluster.client().send(r); }",
        );
        assert!(findings("", &[bare])[0].contains("request, send"));
        let desk = ("crates/drydock/src/x.rs", "fn f() { desk.update(&SECRET, made)?; desk.update(&POD, made)?; }");
        assert!(findings("", &[desk])[0].contains("(update)"));
        let hidden = (
            "crates/a/src/b.rs",
            "use landfall_cluster::Cluster;\nfn f(to: &Cluster, cluster: &Cluster) { to.create(); }",
        );
        let found = findings("", &[hidden]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("crates/a/src/b.rs:2: a connection called `to`"), "{found:?}");
    }
}
