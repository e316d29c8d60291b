//! What a bot writes into a pull request, of names and values that a stranger chose; and what a terminal is shown.

use super::Pair;
use super::scene::Scene;
use super::shop::{shop, system, template};

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = fences();
    all.extend(terminals());
    all
}

const PREVIEW: &[&str] = &["preview", "HEAD~..HEAD"];

/// A change whose new template is this.
fn changed(text: &str) -> Scene {
    template(shop(PREVIEW), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {old: x}\n")
        .commit("first")
        .file("web/templates/all.yaml", text)
        .commit("second")
        .says(&["landfall preview"])
}

fn twin() -> Scene {
    changed(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {old: changed, \"plain.key_1\": hello-proof}\n",
    )
    .well(&["plain.key_1", "hello-proof"])
}

/// Text that would leave its code fence and speak for the bot.
const FORGED: &str = "## ✅ approved by security";

fn fences() -> Vec<Pair> {
    let config = |key: &str, value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n  {key}: {value}\n")
    };
    let hidden =
        |scene: Scene| scene.fences(&["\n## ✅ approved", "<script", "</details><", "\n<!-- landfall preview -->"]);
    let pod = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: [{{name: {name}, image: example/web:1}}]}}\n"
        )
    };
    let named = |name: &str| {
        let text = system("chart: web", "").replace("  local:", &format!("  {name}:"));
        shop(PREVIEW)
            .file("landfall.yaml", text.clone())
            .commit("first")
            .file("landfall.yaml", text)
            .file("web/values.yaml", "greeting: other\n")
            .commit("second")
    };
    vec![
        (
            "comments that speak for the bot",
            "a value that ends the fence",
            hidden(changed(&config("a", &format!("\"x\\n```\\n{FORGED}\\n```\"")))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "a key that ends the fence",
            hidden(changed(&config(&format!("\"a\\n```\\n\\n{FORGED}\\n\""), "x"))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "a longer fence",
            hidden(changed(&config("a", &format!("\"x\\n``````\\n{FORGED}\\n``````\"")))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "a fence of tildes",
            hidden(changed(&config("a", &format!("\"x\\n~~~~~~\\n{FORGED}\\n\"")))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "a container's name",
            hidden(changed(&pod(&format!("\"a\\n```\\n\\n{FORGED}\\n\"")))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "an environment's name",
            named(&format!("\"a`\\n\\n{FORGED}\\n\"")).refused(&[1, 2], &["LF0872"]),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "an object's name",
            hidden(changed(&format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \"a</code></summary>\\n\\n{FORGED}\\n\"}}\n"
            ))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "markup",
            hidden(changed(&config("\"</code></summary></details><script>alert(1)</script>\"", "x"))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "the bot's own mark",
            hidden(changed(&config("a", "\"x\\n<!-- landfall preview -->\\n\""))),
            twin(),
        ),
        (
            "comments that speak for the bot",
            "somebody is called",
            changed(&config("\"@everyone\"", "\"[x](http://evil.example)\""))
                .fences(&["@everyone", "[x](http://evil.example)"]),
            twin(),
        ),
    ]
}

/// Bytes that a terminal would obey.
fn terminals() -> Vec<Pair> {
    let print = |act: &[&str], text: &str| template(shop(act), text).commit("first");
    let quiet = |scene: Scene| scene.hides(&["\u{1b}[2J", "\u{1b}]0;", "\u{9b}2J", "\u{202e}"]).says(&["e"]);
    let evil = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"a\\e[2J\\e]0;owned\\a\"}\ndata: {\"k\\e[2J\": \"v\\e[2J\\u202E\"}\n";
    let twin = |act: &[&str]| {
        print(act, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: hello-proof}\n").well(&["e"])
    };
    vec![
        ("bytes that a terminal obeys", "a name, planned", quiet(print(&["plan"], evil)), twin(&["plan"])),
        ("bytes that a terminal obeys", "a name, rehearsed", quiet(print(&["rehearse"], evil)), twin(&["rehearse"])),
        (
            "bytes that a terminal obeys",
            "a failure",
            quiet(print(&["plan"], "{{ fail \"x\\u001b[2J\\u001b]0;owned\\u0007\" }}")),
            twin(&["plan"]),
        ),
        (
            "bytes that a terminal obeys",
            "a server's answer",
            Scene::new(&["pull", "oci://@HOST@/open/web", "--version", "0.1.0", "--plain-http"])
                .answer(
                    super::scene::Where::Host,
                    "/v2/",
                    super::server::Answer {
                        status: 403,
                        ..super::server::Answer::new(
                            "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b[2J\\u001b]0;owned\"}]}",
                        )
                    },
                )
                .refused(&[1], &["error"])
                .hides(&["\u{1b}[2J", "\u{1b}]0;"]),
            twin(&["plan"]),
        ),
    ]
}

/// What of a Markdown text is not code: fenced blocks and spans of code are left out (CommonMark 0.31, §4.5 and §6.1).
pub(super) fn outside_of_code(text: &str) -> String {
    let mut bare = String::new();
    let mut fence: Option<(char, usize)> = None;
    for line in text.lines() {
        let inner = line.trim_start_matches(' ');
        let mark = inner.chars().next().filter(|mark| matches!(mark, '`' | '~')).unwrap_or(' ');
        let count = inner.chars().take_while(|char| *char == mark).count();
        let indent = line.len() - inner.len();
        match fence {
            Some((opened, length)) => {
                if mark == opened && count >= length && indent < 4 && inner[count..].trim().is_empty() {
                    fence = None;
                }
            }
            None if mark != ' ' && count >= 3 && indent < 4 && !(mark == '`' && inner[count..].contains('`')) => {
                fence = Some((mark, count));
            }
            None => {
                bare.push_str(line);
                bare.push('\n');
            }
        }
    }
    without_spans(&bare)
}

/// The text without what stands between two equally long runs of backticks.
fn without_spans(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let run = rest[at..].bytes().take_while(|byte| *byte == b'`').count();
        bare.push_str(&rest[..at]);
        let after = &rest[at + run..];
        let mut from = 0;
        let end = loop {
            let Some(next) = after[from..].find('`').map(|next| from + next) else { break None };
            let length = after[next..].bytes().take_while(|byte| *byte == b'`').count();
            if length == run {
                break Some(next + length);
            }
            from = next + length;
        };
        // A span does not reach over an empty line.
        match end.filter(|end| !after[..*end].contains("\n\n")) {
            Some(end) => rest = &after[end..],
            None => {
                bare.push_str(&rest[at..at + run]);
                rest = after;
            }
        }
    }
    bare + rest
}

#[cfg(test)]
mod tests {
    use super::outside_of_code;

    #[test]
    fn what_stands_in_a_fence_or_a_span_is_code_and_what_ends_it_is_not() {
        assert_eq!(outside_of_code("a\n```diff\nb\n```\nc `d` e"), "a\nc  e\n");
        assert!(outside_of_code("````\n```\nb\n````\n").is_empty(), "a shorter run does not end it");
        assert!(outside_of_code("```\n~~~\nb\n```\n").is_empty());
        assert_eq!(outside_of_code("```\na\n```\nloose\n```\n"), "loose\n");
        assert_eq!(outside_of_code("``a`b`` c ` d"), " c ` d\n");
    }
}
