//! News as a mail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::Told;
use super::sinks::Mail;
use super::smtp;

/// The longest title, in characters, and the longest part of one in an encoded word, in bytes.
const LONGEST: usize = 200;
const WORD: usize = 36;

/// Tells it.
///
/// # Errors
/// Why the mail server did not take it.
pub(super) async fn post(mail: &Mail, identity: &str, at: &str, told: &Told) -> Result<(), String> {
    smtp::hand_in(mail, &message(mail, identity, at, told)).await
}

/// The message, lines ended by CR LF; its identity is that of the news, so that a second one is known as the same.
fn message(mail: &Mail, identity: &str, at: &str, told: &Told) -> String {
    let date = at
        .parse::<Timestamp>()
        .ok()
        .and_then(|at| jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).ok());
    let domain = mail.from.rsplit('@').next().unwrap_or("landfall");
    let mut lines = vec![
        format!("From: Landfall <{}>", mail.from),
        format!("To: {}", mail.to.join(", ")),
        format!("Subject: {}", encoded(&told.title)),
        format!("Message-ID: <{identity}@{domain}>"),
    ];
    lines.extend(date.map(|date| format!("Date: {date}")));
    lines.extend(
        [
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
            "Auto-Submitted: auto-generated",
            "",
        ]
        .map(str::to_owned),
    );
    let body = STANDARD.encode(format!("{}\n\n{}\n\n    {}\n", told.title, told.text, told.help));
    let (mut rest, width) = (body.as_str(), 76);
    while !rest.is_empty() {
        let (part, more) = rest.split_at(rest.len().min(width));
        lines.push(part.to_owned());
        rest = more;
    }
    lines.join("\r\n") + "\r\n"
}

/// A title as encoded words, each on a line of its own: none may be longer than 75 characters, nor hold a part of a letter.
fn encoded(title: &str) -> String {
    let (mut words, mut word) = (Vec::new(), String::new());
    for letter in title.chars().filter(|letter| !letter.is_control()).take(LONGEST) {
        if word.len() + letter.len_utf8() > WORD {
            words.push(std::mem::take(&mut word));
        }
        word.push(letter);
    }
    words.push(word);
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::super::sinks::Security;
    use super::*;

    #[test]
    fn a_message_is_one_whatever_a_chart_says() {
        let mail = Mail {
            host: "h".to_owned(),
            port: 25,
            security: Security::None,
            login: None,
            from: "ops@example.com".to_owned(),
            to: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
        };
        let told = Told {
            title: "shop\r\nBcc: evil@example.com fails, and its title goes on and on".to_owned(),
            text: "\r\n.\r\nQUIT".to_owned(),
            help: "landfall app diff argocd/shop".to_owned(),
            commit: None,
        };
        let text = message(&mail, "00ff", "2026-01-02T03:04:05Z", &told);
        assert!(!text.contains("Bcc") && !text.contains("QUIT") && !text.contains("\r\n.\r\n"), "{text}");
        assert!(
            text.contains("Message-ID: <00ff@example.com>\r\n") && text.contains("To: a@example.com, b@example.com")
        );
        assert!(text.contains("Date: Fri, 2 Jan 2026 03:04:05 "), "{text}");
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
    }
}
