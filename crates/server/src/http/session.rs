//! Signing in, signing out, another password.

use ::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use landfall_diag::{Diagnostic, code};
use landfall_store::TokenRow;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Answer, Front, JSON, not_done, private, read, text_of, typed, words};
use crate::accounts::{ADMIN, Job, NotSignedIn, Question, Secure, SignedIn, Subject, Who};
use crate::actor::Actor;
use crate::api::{Credentials, JobCredentials, JobToken, NewPassword, SessionLine, problem};
use crate::gate::{COOKIE, cookie, own_page};
use crate::routes::{Entry, Own};

/// The cookie of a sign-in that was begun with the issuer, the paths that it is for, and how long it stays, in seconds.
const BEGUN: &str = "landfall-issuer";
const BEGUN_PATH: &str = "/api/v1/session/issuer";
const BEGUN_STAYS: i64 = 600;
/// Largest body of who signs in, in bytes.
const LARGEST: usize = 8 * 1024;

impl Front {
    /// Answers whoever comes to sign in.
    pub(super) async fn enter(&self, entry: Entry, request: Request<Incoming>) -> Answer {
        private(match entry {
            Entry::SignIn => self.sign_in(request).await,
            Entry::IssuerBegin => self.to_issuer().await,
            Entry::IssuerBack => self.returned(&request).await,
            Entry::Job => self.job(request).await,
        })
    }

    /// Answers whoever is known, about that one.
    pub(super) async fn own(&self, own: Own, request: Request<Incoming>) -> Answer {
        let known = self.gate.known(request.method(), request.headers()).await;
        private(match known {
            Err(refused) => typed(refused.status, JSON, problem(&[*refused.diagnostic]).to_string()),
            Ok(actor) => match own {
                Own::WhoAmI => typed(StatusCode::OK, JSON, text(&line_of(&actor))),
                Own::SignOut => self.sign_out(&actor, request.headers()).await,
                Own::Password => self.change_password(&actor, request).await,
            },
        })
    }

    async fn sign_in(&self, request: Request<Incoming>) -> Answer {
        // Nobody is signed in here by a page of somebody else's.
        if let Err(refused) = own_page(request.method(), request.headers()) {
            return typed(refused.status, JSON, problem(&[*refused.diagnostic]).to_string());
        }
        let secure = is_secure(request.headers());
        let given: Credentials = match body(request).await {
            Ok(given) => given,
            Err(answer) => return answer,
        };
        match self.gate.accounts().sign_in(&given.name, &given.password).await {
            Ok(signed) => {
                self.heard(&signed.who).await;
                self.entered(&signed, secure)
            }
            Err(why) => self.not_signed_in(&given.name, why).await,
        }
    }

    /// Lets in a CI job for a while. It brings no cookie and gets none.
    async fn job(&self, request: Request<Incoming>) -> Answer {
        let Some(jobs) = &self.jobs else {
            let text = "this server lets in no CI jobs";
            let told = Diagnostic::error(code::BAD_REQUEST, text).help("landfall serve --ci-identities FILE");
            return typed(StatusCode::NOT_FOUND, JSON, problem(&[told]).to_string());
        };
        let given: JobCredentials = match body(request).await {
            Ok(given) => given,
            Err(answer) => return answer,
        };
        let job = match jobs.job(&given.token, given.identity.as_deref()).await {
            Ok(job) => job,
            Err(diagnostic) => {
                tracing::warn!("{}: {}", diagnostic.message, diagnostic.notes.join("; "));
                return unbelieved(diagnostic);
            }
        };
        let (facts, now) = self.desk.remembered();
        if let Err(diagnostic) = job.exchange(facts, now).await {
            if diagnostic.code != code::ISSUER_FAILED {
                return not_done(&[diagnostic]);
            }
            tracing::warn!("{} ({})", diagnostic.message, job.told);
            return typed(StatusCode::UNAUTHORIZED, JSON, problem(&[diagnostic]).to_string());
        }
        match self.let_in(&job).await {
            Ok(token) => typed(StatusCode::OK, JSON, serde_json::to_string(&token).unwrap_or_default()),
            Err(diagnostic) => not_done(&[diagnostic]),
        }
    }

    /// A token for a job; who it is and which run it is of stands in the audit log first.
    async fn let_in(&self, job: &Job) -> Result<JobToken, Diagnostic> {
        let (token, row) = self.gate.token_for(job)?;
        let target = format!("{} ({})", row.name, row.id);
        let detail = json!({"issuer": job.issuer, "role": row.role, "expires_at": row.expires_at, "claims": job.told});
        let number = self.desk.noting((&row.name, "session.job", &target), detail).await?;
        let issued = self.gate.issue(&row).await;
        self.desk.outcome(number, if issued.is_ok() { "done" } else { "failed" }).await;
        issued?;
        let subject = Subject { name: row.role.clone(), roles: Vec::new(), groups: Vec::new() };
        if self.is_admin(&subject) {
            let text = format!("the CI job {} has been let in as an administrator", row.name);
            self.alarms.raise((&row.name, "session.begin", &target), "done, announced", &text).await;
        }
        let TokenRow { name, role, expires_at, .. } = row;
        Ok(JobToken { token: token.revealed(), name, role, expires_at: expires_at.unwrap_or_default() })
    }

    /// Whether somebody may change accounts.
    fn is_admin(&self, subject: &Subject) -> bool {
        self.gate.roles().may(subject, &Question { resource: "accounts", action: "update", object: "*" })
    }

    /// Leads a browser to the issuer.
    async fn to_issuer(&self) -> Answer {
        let Some(issuer) = &self.issuer else { return no_issuer() };
        let begun = match issuer.begin().await {
            Ok(begun) => begun,
            Err(diagnostic) => return not_done(&[diagnostic]),
        };
        let Ok(location) = HeaderValue::from_str(&begun.location) else { return no_issuer() };
        let mut answer = words(StatusCode::FOUND, "the issuer of identities is asked");
        answer.headers_mut().insert(header::LOCATION, location);
        let path = format!("{}{BEGUN_PATH}", self.root);
        keep(&mut answer, (BEGUN, &path, "Lax"), &begun.kept, BEGUN_STAYS, issuer.secure());
        answer
    }

    /// Takes what the issuer says of the one whom the browser brings back.
    async fn returned(&self, request: &Request<Incoming>) -> Answer {
        let Some(issuer) = &self.issuer else { return no_issuer() };
        let kept = cookie(request.headers(), BEGUN).unwrap_or_default();
        let standing = self.gate.roles();
        let who = issuer.end(&kept, request.uri().query().unwrap_or_default(), standing.scopes()).await;
        let signed = match who {
            Ok(who) => self.begun(who).await,
            Err(diagnostic) => Err(diagnostic),
        };
        let mut answer = match signed {
            Ok(signed) => {
                // The browser comes from elsewhere: what it asks for next it asks for from here.
                let page = format!(
                    "<!doctype html>\n<meta http-equiv=\"refresh\" content=\"0;url={0}/\">\n<a href=\"{0}/\">signed in</a>\n",
                    self.root
                );
                let mut answer = typed(StatusCode::OK, "text/html; charset=utf-8", page);
                let policy = HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
                answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
                self.set_cookie(&mut answer, &signed.secret, signed.stays, issuer.secure());
                answer
            }
            Err(diagnostic) => {
                tracing::warn!("{}: {}", diagnostic.message, diagnostic.notes.join("; "));
                unbelieved(diagnostic)
            }
        };
        let path = format!("{}{BEGUN_PATH}", self.root);
        keep(&mut answer, (BEGUN, &path, "Lax"), "", 0, issuer.secure());
        answer
    }

    /// Begins the session of somebody for whom an issuer speaks.
    async fn begun(&self, who: Who) -> Result<SignedIn, Diagnostic> {
        if self.gate.accounts().has(&who.name).await? {
            let text = format!("{} is an account of the server's own: the issuer's user is not taken for it", who.name);
            return Err(Diagnostic::refused(code::ISSUER_FAILED, text));
        }
        let signed = self.gate.accounts().begin(who).await.map_err(|why| match why {
            NotSignedIn::Failed(diagnostic) => diagnostic,
            NotSignedIn::No { .. } => Diagnostic::error(code::BUG, "a session cannot be begun"),
        })?;
        self.heard(&signed.who).await;
        Ok(signed)
    }

    /// Who signs in stands in the audit log; an administrator is announced.
    pub(super) async fn heard(&self, who: &Who) {
        let subject = Subject { name: who.name.clone(), roles: who.roles.clone(), groups: who.groups.clone() };
        let is_admin = who.roles.iter().any(|role| role == ADMIN) || self.is_admin(&subject);
        if is_admin {
            let text = format!("{} has signed in as an administrator", who.name);
            self.alarms.raise((&who.name, "session.begin", &who.name), "done, announced", &text).await;
        } else {
            self.desk.noted((&who.name, "session.begin", &who.name), "done").await;
        }
    }

    async fn not_signed_in(&self, name: &str, why: NotSignedIn) -> Answer {
        match why {
            NotSignedIn::Failed(diagnostic) => not_done(&[diagnostic]),
            NotSignedIn::No { closed_now } => {
                if closed_now {
                    // Only accounts that are there are closed: what is told here is a name of our own.
                    let text = format!("the account {name} takes no tries for a while: too many passwords were wrong");
                    self.alarms.raise(("nobody", "session.begin", name), "refused: too many tries", &text).await;
                }
                let text = "the name or the password is not right, or the account takes no tries for a while";
                let diagnostic = Diagnostic::refused(code::NOT_SIGNED_IN, text)
                    .help("after five wrong ones it is closed for half a minute, and longer each time")
                    .help("on the server's machine: landfall account password NAME");
                typed(StatusCode::UNAUTHORIZED, JSON, problem(&[diagnostic]).to_string())
            }
        }
    }

    /// The answer to who has signed in.
    fn entered(&self, signed: &SignedIn, secure: Secure) -> Answer {
        let mut answer = typed(StatusCode::OK, JSON, text(&line_of_session(&signed.who)));
        self.set_cookie(&mut answer, &signed.secret, signed.stays, secure);
        answer
    }

    /// The session's cookie: no script reads it, no other site sends it. Behind a proxy that shares the host it is for the
    /// server's own path alone.
    fn set_cookie(&self, answer: &mut Answer, secret: &str, stays: i64, secure: Secure) {
        let path = if self.root.is_empty() { "/" } else { &self.root };
        keep(answer, (COOKIE, path, "Strict"), secret, stays, secure);
    }

    async fn sign_out(&self, actor: &Actor, headers: &HeaderMap) -> Answer {
        if let Some(who) = actor.session() {
            if let Err(diagnostic) = self.gate.accounts().sign_out(who).await {
                return not_done(&[diagnostic]);
            }
            self.desk.noted((&who.name, "session.end", &who.name), "done").await;
        }
        let mut answer = typed(StatusCode::OK, JSON, text(&line_of(actor)));
        self.set_cookie(&mut answer, "", 0, is_secure(headers));
        answer
    }

    async fn change_password(&self, actor: &Actor, request: Request<Incoming>) -> Answer {
        let Some(who) = actor.session().filter(|who| who.issuer.is_empty()).cloned() else {
            let text = "only an account of the server's own that has signed in has a password here";
            return not_done(&[Diagnostic::error(code::BAD_REQUEST, text)]);
        };
        let secure = is_secure(request.headers());
        let given: NewPassword = match body(request).await {
            Ok(given) => given,
            Err(answer) => return answer,
        };
        let target = who.name.as_str();
        match self.gate.accounts().change(target, &given.old, &given.new).await {
            Ok(()) => {
                self.desk.noted((target, "account.password", target), "done").await;
                // It signed out everywhere; here it goes on.
                match self.gate.accounts().sign_in(target, &given.new).await {
                    Ok(signed) => self.entered(&signed, secure),
                    Err(why) => self.not_signed_in(target, why).await,
                }
            }
            Err(why) => self.not_signed_in(target, why).await,
        }
    }
}

/// Who asks, in the API's words.
fn line_of(actor: &Actor) -> SessionLine {
    let Some(who) = actor.session() else {
        return SessionLine {
            name: actor.name.clone(),
            by: actor.by().to_owned(),
            issuer: String::new(),
            roles: Vec::new(),
            groups: Vec::new(),
            must_change: false,
            ends_at: String::new(),
        };
    };
    line_of_session(who)
}

fn line_of_session(who: &Who) -> SessionLine {
    SessionLine {
        name: who.name.clone(),
        by: if who.issuer.is_empty() { "account" } else { "issuer" }.to_owned(),
        issuer: who.issuer.clone(),
        roles: who.roles.clone(),
        groups: who.groups.clone(),
        must_change: who.must_change,
        ends_at: who.ends_at.clone(),
    }
}

/// The answer to who is not let in by an issuer's word: nobody has refused where the issuer does not answer.
fn unbelieved(diagnostic: Diagnostic) -> Answer {
    let status = match diagnostic.code {
        code::ISSUER_SILENT => StatusCode::BAD_GATEWAY,
        _ => StatusCode::UNAUTHORIZED,
    };
    typed(status, JSON, problem(&[diagnostic]).to_string())
}

fn no_issuer() -> Answer {
    let text = "this server knows no issuer of identities";
    let help = "landfall serve --issuer URL --issuer-client ID --url OWN-ADDRESS";
    let problem = problem(&[Diagnostic::error(code::BAD_REQUEST, text).help(help)]);
    typed(StatusCode::NOT_FOUND, JSON, problem.to_string())
}

/// What stands in front says so; who says so without being there gets a cookie that its browser does not send in the clear.
pub(super) fn is_secure(headers: &HeaderMap) -> Secure {
    match text_of(headers, "x-forwarded-proto") {
        Some(proto) if proto.eq_ignore_ascii_case("https") => Secure::Yes,
        _ => Secure::No,
    }
}

/// A cookie: its name, the paths that it is for, and whether other sites' links send it along.
fn keep(answer: &mut Answer, (name, path, site): (&str, &str, &str), text: &str, stays: i64, secure: Secure) {
    let tls = if secure == Secure::Yes { "; Secure" } else { "" };
    let cookie = format!("{name}={text}; Path={path}; HttpOnly; SameSite={site}; Max-Age={stays}{tls}");
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A body as it is wanted; or the answer to one that is not.
async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Answer> {
    let Some(bytes) = read(request.into_body(), LARGEST).await else {
        return Err(words(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or comes too slowly"));
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        // What serde says may quote the value: it is a password.
        let place = format!("line {}, column {}", error.line(), error.column());
        not_done(&[Diagnostic::error(code::BAD_REQUEST, format!("the body cannot be read: {place}"))])
    })
}

fn text(line: &SessionLine) -> String {
    serde_json::to_string(line).unwrap_or_default()
}
