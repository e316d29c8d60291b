//! News to a webhook that takes what Slack's takes: a text in JSON.

use landfall_source::{Access, Network, Redirects};
use serde_json::json;

use super::Told;
use super::outbox::{IDENTITY, PATIENCE, ask};

/// Tells it.
///
/// # Errors
/// Why it was not taken, without the address: who knows that may write there.
pub(super) async fn post(network: &Network, address: &str, identity: &str, told: &Told) -> Result<(), String> {
    let text = format!("*{}*\n{}\n`{}`", escaped(&told.title), escaped(&told.text), escaped(&told.help));
    let access = Access { redirects: Redirects::Stop, timeout: Some(PATIENCE), ..Access::default() };
    let headers = [("content-type", "application/json"), (IDENTITY, identity)];
    ask(network, access, address, &headers, &json!({"text": text})).await
}

/// A text in which nothing has a meaning of its own: no link, no mention of everybody.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_by_what_a_chart_says() {
        assert_eq!(escaped("<!channel> `x` & <https://evil>"), "&lt;!channel&gt; 'x' &amp; &lt;https://evil&gt;");
    }
}
