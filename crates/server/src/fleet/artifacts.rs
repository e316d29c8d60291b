//! Artifacts: their bytes, taken once and served with ranges, as they are and without redirects.

use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use landfall_diag::{Diagnostic, code};
use landfall_fleet::hex;
use landfall_fleet::protocol::ARTIFACTS;
use landfall_store::ArtifactRow;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::Control;
use super::answers::{Answer, refused};
use super::legacy::bearer;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;
/// Largest artifact that is taken, in bytes.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;
/// How long a link for an existing agent is good, in seconds.
const LINK: i64 = 24 * 3600;
/// Longest silence while an artifact is uploaded.
const SILENCE: Duration = Duration::from_secs(60);

impl Control {
    /// Where an artifact's bytes lie.
    pub(crate) fn artifact_path(&self, sha256: &str) -> PathBuf {
        self.directory.join("artifacts").join(sha256)
    }

    /// Where our own agent fetches an artifact.
    pub(crate) fn artifact_url(&self, artifact: &ArtifactRow) -> String {
        format!("{ARTIFACTS}{}/{}", artifact.sha256, artifact.file_name)
    }

    /// Where an existing agent does, which sends no credential along: its last piece is the file's name, which that agent stages by.
    pub(crate) fn link(&self, address: &str, artifact: &ArtifactRow, limit: Option<u64>) -> String {
        // The same link for a while, so that nothing is answered otherwise than before for no reason.
        let until = (self.now() / LINK + 2) * LINK;
        let limit = limit.unwrap_or(0);
        let signature = self.keys.sign_link(&format!("{}/{until}/{limit}", artifact.sha256));
        format!("{address}{}?e={until}&b={limit}&s={signature}", self.artifact_url(artifact))
    }

    /// Answers with an artifact's bytes, if whoever asks has a credential or a link.
    pub(crate) async fn answer_artifact(
        self: &Arc<Self>,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        head_only: bool,
    ) -> Answer {
        let sha256 = path.strip_prefix(ARTIFACTS).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let Some(limit) = self.may_fetch(sha256, query, headers).await else {
            return refused(
                401,
                "unauthorized",
                "an artifact wants an edge's credential, or a link that is still good",
            );
        };
        self.answer_bytes(sha256, headers, head_only, limit).await
    }

    /// Answers with the bytes of an artifact, or of a delta that leads to one.
    pub(crate) async fn answer_bytes(
        self: &Arc<Self>,
        sha256: &str,
        headers: &HeaderMap,
        head_only: bool,
        limit: u64,
    ) -> Answer {
        let Some(size) = self.releases.size_of(sha256) else {
            return refused(404, "not_found", "there is no such artifact");
        };
        let Ok(file) = tokio::fs::File::open(self.artifact_path(sha256)).await else {
            // A delta may have been collected, and is not needed.
            if self.releases.is_artifact(sha256) {
                tracing::error!("the artifact {sha256} is not there");
            }
            return refused(404, "not_found", "the artifact is not there any more");
        };
        let tag = format!("\"{sha256}\"");
        let fresh = headers.get(header::IF_RANGE).is_none_or(|it| it.as_bytes() == tag.as_bytes());
        let range = headers.get(header::RANGE).and_then(|it| it.to_str().ok()).filter(|_| fresh);
        let (status, start, end) = match range.map(|range| range_of(range, size)) {
            None | Some(Range::Whole) => (StatusCode::OK, 0, size),
            Some(Range::Part(start, end)) => (StatusCode::PARTIAL_CONTENT, start, end),
            Some(Range::Beyond) => {
                let mut answer = refused(416, "bad_request", "the artifact has no such bytes");
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    answer.headers_mut().insert(header::CONTENT_RANGE, value);
                }
                return answer;
            }
        };
        let mut answer = match head_only {
            true => Response::new(http_body_util::Empty::new().boxed_unsync()),
            false => match self.streamed(file, (start, end), limit).await {
                Some(answer) => answer,
                None => return refused(503, "busy", "as many artifacts as may are fetched already; come again"),
            },
        };
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, immutable, max-age=31536000"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let mut say = |name, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        };
        say(header::CONTENT_LENGTH, (end - start).to_string());
        say(header::ETAG, tag);
        if status == StatusCode::PARTIAL_CONTENT {
            say(header::CONTENT_RANGE, format!("bytes {start}-{}/{size}", end - 1));
        }
        answer
    }

    /// How fast somebody may fetch, if at all; 0 is as fast as it goes.
    async fn may_fetch(&self, sha256: &str, query: Option<&str>, headers: &HeaderMap) -> Option<u64> {
        if let Some(text) = bearer(headers) {
            let (edge, _) = self.authenticated(&text).await.ok()??;
            return edge.now.lock().is_active().then_some(0);
        }
        let (mut until, mut limit, mut signature) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query?.as_bytes()) {
            match &*name {
                "e" => until = value.parse::<i64>().ok(),
                "b" => limit = value.parse::<u64>().ok(),
                "s" => signature = Some(value.into_owned()),
                _ => {}
            }
        }
        let (until, limit, signature) = (until?, limit?, signature?);
        let is_ours = self.keys.is_link(&format!("{sha256}/{until}/{limit}"), &signature);
        (is_ours && until > self.now()).then_some(limit)
    }

    async fn streamed(self: &Arc<Self>, mut file: tokio::fs::File, part: (u64, u64), limit: u64) -> Option<Answer> {
        let (start, end) = part;
        let control = Arc::clone(self);
        let place = control.streams.try_acquire().ok()?;
        // The place is given back when the stream ends, whichever way.
        place.forget();
        let place = Place(Arc::clone(self));
        if start > 0 && file.seek(SeekFrom::Start(start)).await.is_err() {
            return None;
        }
        let chunk = if limit > 0 { CHUNK.min(usize::try_from(limit).unwrap_or(CHUNK)) } else { CHUNK };
        let state = (file, end - start, place);
        let chunks = futures::stream::unfold(state, move |(mut file, left, place)| async move {
            if left == 0 {
                return None;
            }
            let mut bytes = vec![0; chunk.min(usize::try_from(left).unwrap_or(chunk))];
            let read = file.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
            bytes.truncate(read);
            place.0.numbers.add("landfall_edge_artifact_bytes_total", "", read as u64);
            if let Some(millis) = (read as u64 * 1000).checked_div(limit) {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
            Some((Ok(Frame::data(Bytes::from(bytes))), (file, left - read as u64, place)))
        });
        Some(Response::new(StreamBody::new(chunks).boxed_unsync()))
    }

    /// Takes an artifact's bytes, and keeps them if they have the digest that they are said to have.
    pub(crate) async fn take_artifact(&self, sha256: &str, body: Incoming) -> Result<u64, Diagnostic> {
        let refused = |text: String| Diagnostic::refused(code::BAD_RELEASE, text).note("nothing was kept");
        if sha256.len() != 64 || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(refused(format!("{sha256:?} is no SHA-256: 64 lower-case hexadecimal digits")));
        }
        let path = self.artifact_path(sha256);
        if let Ok(meta) = tokio::fs::metadata(&path).await {
            // It is wanted, and not to be collected before it is registered.
            let there = path.clone();
            let touched = move || std::fs::File::options().write(true).open(there)?.set_modified(SystemTime::now());
            let is_fresh = tokio::task::spawn_blocking(touched).await.is_ok_and(|done| done.is_ok());
            if is_fresh {
                return Ok(meta.len());
            }
        }
        let failed = |error: std::io::Error| {
            Diagnostic::error(code::FLEET_UNWRITTEN, "the artifact cannot be kept").note(error.to_string())
        };
        let random: [u8; 8] = super::random()?;
        let directory = self.directory.join("artifacts");
        tokio::fs::create_dir_all(&directory).await.map_err(failed)?;
        let part = directory.join(format!("{}.part", hex(&random)));
        let taken = self.take_bytes(&part, body).await;
        let kept = match taken {
            Ok((found, size)) if found == sha256 => {
                let moved = tokio::fs::rename(&part, &path).await.map_err(failed);
                if let Ok(directory) = tokio::fs::File::open(&directory).await {
                    let _synchronised = directory.sync_all().await;
                }
                moved.map(|()| size)
            }
            Ok((found, _)) => Err(refused(format!("these bytes have the digest {found}, not {sha256}"))),
            Err(diagnostic) => Err(diagnostic),
        };
        if kept.is_err() {
            let _gone = tokio::fs::remove_file(&part).await;
        }
        kept
    }

    async fn take_bytes(&self, part: &std::path::Path, mut body: Incoming) -> Result<(String, u64), Diagnostic> {
        let failed = |error: std::io::Error| {
            Diagnostic::error(code::FLEET_UNWRITTEN, "the artifact cannot be kept").note(error.to_string())
        };
        let broken = || Diagnostic::error(code::BAD_REQUEST, "the artifact broke off, or came too slowly");
        let mut file = tokio::fs::File::create(part).await.map_err(failed)?;
        let (mut digest, mut size) = (Context::new(&SHA256), 0_u64);
        loop {
            let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| broken())?;
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|_| broken())?.into_data() else { continue };
            size += data.len() as u64;
            if size > LARGEST {
                return Err(Diagnostic::refused(code::BAD_RELEASE, format!("an artifact has at most {LARGEST} bytes")));
            }
            digest.update(&data);
            file.write_all(&data).await.map_err(failed)?;
        }
        file.sync_all().await.map_err(failed)?;
        Ok((hex(digest.finish().as_ref()), size))
    }
}

/// A place among those that fetch.
struct Place(Arc<Control>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.streams.add_permits(1);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// From a byte up to, without, another.
    Part(u64, u64),
    Beyond,
}

/// The one range of a header; several at once, or what cannot be read, is answered with the whole.
fn range_of(text: &str, size: u64) -> Range {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|it| it.split_once('-')) else {
        return Range::Whole;
    };
    match (first.trim().parse::<u64>().ok(), last.trim()) {
        (Some(first), _) if first >= size => Range::Beyond,
        (Some(first), "") => Range::Part(first, size),
        (Some(first), last) => match last.parse::<u64>() {
            Ok(last) if last >= first => Range::Part(first, last.saturating_add(1).min(size)),
            _ => Range::Whole,
        },
        (None, last) if first.trim().is_empty() => match last.parse::<u64>() {
            Ok(0) => Range::Beyond,
            Ok(last) => Range::Part(size.saturating_sub(last), size),
            Err(_) => Range::Whole,
        },
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_http_has_it() {
        for (text, expected) in [
            ("bytes=0-", Range::Part(0, 100)),
            ("bytes=40-", Range::Part(40, 100)),
            ("bytes=40-59", Range::Part(40, 60)),
            ("bytes=40-1000", Range::Part(40, 100)),
            ("bytes=-10", Range::Part(90, 100)),
            ("bytes=-1000", Range::Part(0, 100)),
            ("bytes=100-", Range::Beyond),
            ("bytes=-0", Range::Beyond),
            ("bytes=5-4", Range::Whole),
            ("bytes=0-1,5-6", Range::Whole),
            ("items=0-", Range::Whole),
        ] {
            assert_eq!(range_of(text, 100), expected, "{text}");
        }
    }
}
