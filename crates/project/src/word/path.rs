//! Paths: of files in the tree, of requests, of images.

use super::{Unfit, words};

words! {
    /// A path in the tree that the project file lies in: relative, with `/` between its parts.
    TreePath = "path", {"minLength": 1, "pattern": "^[^/\\\\\\u0000-\\u001f][^\\\\\\u0000-\\u001f]*$"}, tree_path;
    /// A pattern of such paths: `*` within a part, `**` for many.
    Glob = "glob", {"minLength": 1, "pattern": "^[^/\\\\\\u0000-\\u001f][^\\u0000-\\u001f]*$"}, glob;
    /// The path of a request; a trailing `*` stands for all that begin so.
    RoutePath = "request-path", {"pattern": "^/[^\\s]*$"}, route;
    /// An image's repository: a registry's host where it is not Docker's, and a path, without tag and digest.
    ImageRepository = "image-repository",
        {"pattern": "^[a-z0-9A-Z][-a-z0-9A-Z._:/]*$"}, image;
}

fn tree_path(text: &str) -> Result<(), Unfit> {
    relative(text, "a path is relative to the directory that the file lies in, with `/` between its parts")
}

fn relative(text: &str, wanted: &str) -> Result<(), Unfit> {
    let bytes = text.as_bytes();
    let has_drive = bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let clean = !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    let is_address = text.contains("://");
    if clean && !text.starts_with(['/', '~']) && !text.contains('\\') && !has_drive && !is_address {
        return Ok(());
    }
    let near = text.trim().replace('\\', "/");
    let near = near.trim_start_matches('/').to_owned();
    let near = Some(near).filter(|near| !near.is_empty() && !near.starts_with('~') && !has_drive && !is_address);
    Err(Unfit::new(wanted).near(near.filter(|near| !near.chars().any(char::is_control))))
}

fn glob(text: &str) -> Result<(), Unfit> {
    let wanted = "a pattern of paths is relative to the directory that the file lies in, as `argocd/apps/*.yaml`";
    relative(text, wanted)?;
    let open = |(left, right): (char, char)| text.matches(left).count() != text.matches(right).count();
    if [('[', ']'), ('{', '}')].into_iter().any(open) {
        return Err(Unfit::new("a bracket of the pattern is not closed"));
    }
    Ok(())
}

fn route(text: &str) -> Result<(), Unfit> {
    let clean = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if text.starts_with('/') && clean(text) {
        return Ok(());
    }
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None => format!("/{}", text.trim()),
    };
    Err(Unfit::new("the path of a request begins with `/` and has no blanks")
        .near(Some(path).filter(|path| clean(path))))
}

fn image(text: &str) -> Result<(), Unfit> {
    let part = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = part.as_bytes();
        matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if inner(*first) && inner(*last))
            && bytes.iter().all(|byte| inner(*byte) || b"._-".contains(byte))
    };
    let is_registry = |host: &str| {
        let (name, port) = host.split_once(':').unwrap_or((host, "1"));
        (host.contains(['.', ':']) || host == "localhost")
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok()
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    let fits = |text: &str| match text.split_once('/') {
        Some((host, path)) if is_registry(host) => path.split('/').all(part),
        _ => text.split('/').all(part),
    };
    if fits(text) {
        return Ok(());
    }
    let name = text.split('@').next().unwrap_or_default();
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    let near = name.trim().to_lowercase();
    Err(Unfit::new("an image's repository is a path in lower case, without tag and digest, as `ghcr.io/acme/web`")
        .near(Some(near).filter(|near| fits(near))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lie_below_the_file() {
        for text in ["charts/web", ".", "../charts/web", "values file.yaml", "a.b/c"] {
            assert!(TreePath::parse(text).is_ok(), "{text}");
        }
        for (text, near) in [
            ("/etc/passwd", Some("etc/passwd")),
            ("charts\\web", Some("charts/web")),
            ("C:\\charts", None),
            ("oci://ghcr.io/acme/web", None),
            ("~/charts", None),
            ("", None),
            ("a\u{0}b", None),
        ] {
            assert_eq!(TreePath::parse(text).map_err(|unfit| unfit.near), Err(near.map(str::to_owned)), "{text:?}");
        }
    }

    #[test]
    fn an_image_is_named_without_its_tag() {
        for text in ["web", "acme/web", "ghcr.io/acme/web", "localhost:5000/web", "k3d-registry.localhost:5000/a/b_c"] {
            assert!(ImageRepository::parse(text).is_ok(), "{text}");
        }
        for (text, near) in [("acme/web:1.0", Some("acme/web")), ("Acme/Web", Some("acme/web")), ("a b", None)] {
            assert_eq!(
                ImageRepository::parse(text).map_err(|unfit| unfit.near),
                Err(near.map(str::to_owned)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_request_has_a_path() {
        assert!(RoutePath::parse("/api/*").is_ok());
        assert_eq!(RoutePath::parse("health").expect_err("no slash").near.as_deref(), Some("/health"));
        assert_eq!(RoutePath::parse("http://a/b").expect_err("a page").near.as_deref(), Some("/b"));
    }
}
