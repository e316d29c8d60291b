//! Handing a message in to a mail server: as much of SMTP as that needs (RFC 5321, 3207, 4954).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::sinks::{Mail, Security};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest line of an answer, in bytes, and the most lines of one.
const LONGEST: u64 = 4096;
const LINES: usize = 100;

/// What a connection is: plain, or TLS over it.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A conversation with a mail server.
struct Talk {
    wire: BufReader<Box<dyn Wire>>,
}

/// Hands a message in: its head and body, lines ended by CR LF.
///
/// # Errors
/// Why the server did not take it; never the password.
pub(super) async fn hand_in(mail: &Mail, message: &str) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, talk(mail, message)).await {
        Ok(ended) => ended,
        Err(_) => Err(format!("{} did not take it within {} s", mail.host, PATIENCE.as_secs())),
    }
}

async fn talk(mail: &Mail, message: &str) -> Result<(), String> {
    let host = mail.host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, mail.port)).await.map_err(|error| format!("{host}: {error}"))?;
    let mut talk = match mail.security {
        Security::Tls => Talk::over(secured(host, stream).await?),
        Security::StartTls | Security::None => Talk::over(Box::new(stream)),
    };
    talk.answer("220").await?;
    let mut can = talk.greet().await?;
    if mail.security == Security::StartTls {
        if !can.iter().any(|word| word.eq_ignore_ascii_case("STARTTLS")) {
            return Err(format!("{host} offers no TLS: nothing is handed in there"));
        }
        talk.say("STARTTLS", "220").await?;
        // What was said before TLS counts for nothing: whoever sits between could have said it.
        talk = Talk::over(secured(host, talk.wire.into_inner()).await?);
        can = talk.greet().await?;
    }
    if let Some((user, password)) = &mail.login {
        talk.log_in(&can, user, password).await?;
    }
    talk.say(&format!("MAIL FROM:<{}>", mail.from), "250").await?;
    for to in &mail.to {
        talk.say(&format!("RCPT TO:<{to}>"), "25").await?;
    }
    talk.say("DATA", "354").await?;
    // A line that is a dot alone would end it.
    let stuffed = message.replace("\r\n.", "\r\n..");
    talk.say(&format!("{}\r\n.", stuffed.trim_end_matches("\r\n")), "250").await?;
    // It was taken: how the conversation ends changes nothing.
    let _ended = talk.say("QUIT", "221").await;
    Ok(())
}

async fn secured(host: &str, stream: impl Wire + 'static) -> Result<Box<dyn Wire>, String> {
    let failed = |error: rustls::Error| format!("{host}: {error}");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_platform_verifier()
        .map_err(failed)?
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|error| format!("{host}: {error}"))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(|error| format!("{host}: {error}"))?;
    Ok(Box::new(stream))
}

impl Talk {
    fn over(wire: Box<dyn Wire>) -> Self {
        Talk { wire: BufReader::new(wire) }
    }

    /// Says who we are; the words that the server can.
    async fn greet(&mut self) -> Result<Vec<String>, String> {
        let said = self.say("EHLO landfall", "250").await?;
        Ok(said.into_iter().skip(1).collect())
    }

    async fn log_in(&mut self, can: &[String], user: &str, password: &str) -> Result<(), String> {
        let ways = can.iter().find_map(|word| word.strip_prefix("AUTH ")).unwrap_or_default().to_ascii_uppercase();
        let ways: Vec<&str> = ways.split(' ').collect();
        let failed = |why: String| format!("the login is not taken: {why}");
        if ways.contains(&"PLAIN") {
            let secret = STANDARD.encode(format!("\0{user}\0{password}"));
            return self.say(&format!("AUTH PLAIN {secret}"), "235").await.map(drop).map_err(failed);
        }
        if ways.contains(&"LOGIN") {
            self.say("AUTH LOGIN", "334").await.map_err(failed)?;
            self.say(&STANDARD.encode(user), "334").await.map_err(failed)?;
            return self.say(&STANDARD.encode(password), "235").await.map(drop).map_err(failed);
        }
        Err("the server takes no login by name and password".to_owned())
    }

    /// Says a line, and reads an answer that must begin so.
    async fn say(&mut self, line: &str, wanted: &str) -> Result<Vec<String>, String> {
        let line = format!("{line}\r\n");
        let written = async {
            self.wire.write_all(line.as_bytes()).await?;
            self.wire.flush().await
        };
        written.await.map_err(|error| error.to_string())?;
        self.answer(wanted).await
    }

    /// Reads an answer: its lines without their codes.
    async fn answer(&mut self, wanted: &str) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        while said.len() < LINES {
            let mut line = String::new();
            let mut limited = tokio::io::AsyncReadExt::take(&mut self.wire, LONGEST);
            let read = limited.read_line(&mut line).await.map_err(|error| error.to_string())?;
            if read == 0 {
                return Err("the server hung up".to_owned());
            }
            let line = line.trim_end();
            let (code, rest) = line.split_at_checked(3).ok_or("the server does not speak SMTP")?;
            said.push(rest.get(1..).unwrap_or_default().to_owned());
            if rest.starts_with('-') {
                continue;
            }
            return if code.starts_with(wanted) { Ok(said) } else { Err(format!("{code} {}", said.join(" "))) };
        }
        Err("the server's answer has no end".to_owned())
    }
}
