//! A plain page: edges, enrollment tokens, and a form that mints one. Until the real page comes.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the form does: a token goes with the request, as a page of another site cannot send it.
const SCRIPT: &str = r#"
document.getElementById("mint").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, shown = document.getElementById("shown");
  const wish = { label: form.label.value };
  if (form.uses.value) wish.maxUses = Number(form.uses.value);
  if (form.expires.value) wish.expiresAt = new Date(form.expires.value).toISOString();
  const headers = { "content-type": "application/json", "x-landfall-request": "1" };
  if (form.token.value) headers.authorization = "Bearer " + form.token.value;
  const answer = await fetch("api/v1/edge/tokens", { method: "POST", headers, body: JSON.stringify(wish) });
  const told = await answer.json();
  shown.textContent = answer.ok ? told.token + "   (shown this once)" : (told.message || "it was not minted");
});
"#;

/// What a browser may do on the page.
pub(crate) fn policy() -> String {
    let hash = STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()).as_ref());
    format!(
        "default-src 'none'; script-src 'sha256-{hash}'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// The page.
pub(crate) fn of(listed: &Value, tokens: &[Value]) -> String {
    let none = Vec::new();
    let edges = listed["edges"].as_array().unwrap_or(&none);
    let columns = [
        "deviceNumber",
        "displayName",
        "connectivity",
        "runtimeState",
        "version",
        "upgradeStatus",
        "upgradeMessage",
        "lastError",
        "lastSeenAt",
    ];
    let heads = [
        "Edge",
        "Name",
        "Connectivity Status",
        "Runtime State",
        "Version",
        "Upgrade Status",
        "Message",
        "Last Error",
        "Last Seen",
    ];
    let token_columns = ["label", "id", "state", "usedCount", "maxUses", "expiresAt", "createdBy"];
    let token_heads = ["Label", "Token", "State", "Uses", "Max Uses", "Expires", "Created By"];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Edges</title></head>\n<body>\n\
         <h1>Edges</h1>\n<p>{} of {}</p>\n{}\n<h2>Edge Enrollment Tokens</h2>\n{}\n\
         <form id=\"mint\">\n<label>Label <input name=\"label\" required></label>\n\
         <label>Max uses <input name=\"uses\" type=\"number\" min=\"1\"></label>\n\
         <label>Expires <input name=\"expires\" type=\"datetime-local\"></label>\n\
         <label>Your API token, unless you are signed in <input name=\"token\" type=\"password\" autocomplete=\"off\"></label>\n\
         <button>Mint an enrollment token</button>\n</form>\n<p><output id=\"shown\"></output></p>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        edges.len(),
        listed["matching"],
        table(&heads, &columns, edges),
        table(&token_heads, &token_columns, tokens),
    )
}

fn table(heads: &[&str], columns: &[&str], rows: &[Value]) -> String {
    let head: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let cell = |row: &Value, column: &str| {
        let text = match &row[column] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("<td>{}</td>", crate::page::escaped(&text))
    };
    let row = |row: &Value| format!("<tr>{}</tr>\n", columns.iter().map(|it| cell(row, it)).collect::<String>());
    format!(
        "<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{}</tbody>\n</table>",
        rows.iter().map(row).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lp_078_nothing_that_an_edge_or_somebody_wrote_is_markup() {
        let hostile = "<img src=x onerror=alert(1)>";
        let listed =
            json!({"matching": 1, "edges": [{"displayName": hostile, "lastError": hostile, "deviceNumber": hostile}]});
        let page = of(&listed, &[json!({"label": hostile})]);
        assert!(!page.contains("<img"), "{page}");
        assert_eq!(page.matches("&lt;img").count(), 4);
        assert!(policy().contains("script-src 'sha256-"));
    }
}
