//! Files' paths as they are seen from where somebody stands.

use std::path::Path;

/// From where the paths of files are seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Viewpoint {
    /// Their own top: commits, archives, and a working tree from its first directory.
    #[default]
    Top,
    /// A directory among them, by its path.
    Within(String),
    /// Somewhere else: what leads from there to their top, relative where they lie below it, else absolute.
    Outside(String),
}

impl Viewpoint {
    /// As a working tree's files are seen from a directory; where one of both does not exist, as the paths stand.
    pub fn of(working_directory: &Path, top: &Path) -> Self {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (here, top) = (real(working_directory), real(top));
        if here == top {
            return Viewpoint::Top;
        }
        match here.strip_prefix(&top) {
            Ok(within) => Viewpoint::Within(slashed(within)),
            Err(_) => Viewpoint::Outside(top.strip_prefix(&here).map_or_else(|_| top.display().to_string(), slashed)),
        }
    }

    /// A path of the files as somebody here would type it; nothing for the directory where they stand.
    pub fn shown(&self, path: &str) -> String {
        match self {
            Viewpoint::Top => path.to_owned(),
            Viewpoint::Outside(prefix) if path.is_empty() => prefix.clone(),
            Viewpoint::Outside(prefix) => format!("{prefix}/{path}"),
            Viewpoint::Within(here) => {
                let (from, to): (Vec<&str>, Vec<&str>) = (parts(here), parts(path));
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                let up = std::iter::repeat_n("..", from.len() - common);
                up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
            }
        }
    }

    /// The other way: a path of the files by what is shown of it; nothing for what [`Viewpoint::shown`] cannot have said.
    pub fn path(&self, shown: &str) -> Option<String> {
        match self {
            Viewpoint::Top => Some(shown.to_owned()),
            Viewpoint::Outside(prefix) => {
                let rest = shown.strip_prefix(prefix.as_str())?;
                if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(str::to_owned) }
            }
            Viewpoint::Within(here) => {
                let (mut from, to) = (parts(here), parts(shown));
                let up = to.iter().take_while(|part| **part == "..").count();
                from.truncate(from.len().checked_sub(up)?);
                Some(from.into_iter().chain(to[up..].iter().copied()).collect::<Vec<_>>().join("/"))
            }
        }
    }
}

/// A relative path with slashes between its parts, as the files of a tree are named.
pub(crate) fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::Viewpoint;

    #[test]
    fn what_is_shown_leads_from_where_one_stands() {
        let within = |here: &str| Viewpoint::Within(here.to_owned());
        for (viewpoint, path, shown) in [
            (Viewpoint::Top, "charts/web/values.yaml", "charts/web/values.yaml"),
            (Viewpoint::Outside("shop".into()), "charts/web", "shop/charts/web"),
            (Viewpoint::Outside("shop".into()), "", "shop"),
            (Viewpoint::Outside("/srv/shop".into()), "values.yaml", "/srv/shop/values.yaml"),
            (within("infra"), "infra/charts/values.yaml", "charts/values.yaml"),
            (within("infra"), "charts/values.yaml", "../charts/values.yaml"),
            (within("infra"), "infrastructure/a.yaml", "../infrastructure/a.yaml"),
            (within("infra/prod"), "infra/base/a.yaml", "../base/a.yaml"),
            (within("infra"), "infra", ""),
            (within("infra/prod"), "", "../.."),
        ] {
            assert_eq!(viewpoint.shown(path), shown, "{viewpoint:?} {path}");
            assert_eq!(viewpoint.path(shown).as_deref(), Some(path), "{viewpoint:?} {shown}");
        }
    }

    #[test]
    fn what_lies_elsewhere_is_no_path_of_the_files() {
        assert_eq!(Viewpoint::Within("infra".into()).path("../../a.yaml"), None);
        assert_eq!(Viewpoint::Outside("shop".into()).path("shopping/a.yaml"), None);
        assert_eq!(Viewpoint::Outside("shop".into()).path("a.yaml"), None);
    }

    #[test]
    fn a_directory_is_seen_from_above_from_within_and_from_beside() {
        let scratch = std::env::temp_dir().join(format!("viewpoint-{}", std::process::id()));
        let (inner, beside) = (scratch.join("tree/infra"), scratch.join("beside"));
        std::fs::create_dir_all(&inner).expect("a directory");
        std::fs::create_dir_all(&beside).expect("a directory");
        let tree = scratch.join("tree");
        assert_eq!(Viewpoint::of(&tree, &tree), Viewpoint::Top);
        assert_eq!(Viewpoint::of(&inner, &tree), Viewpoint::Within("infra".into()));
        assert_eq!(Viewpoint::of(&scratch, &tree), Viewpoint::Outside("tree".into()));
        let real = tree.canonicalize().expect("it is there");
        assert_eq!(Viewpoint::of(&beside, &tree), Viewpoint::Outside(real.display().to_string()));
        std::fs::remove_dir_all(&scratch).expect("removed");
    }
}
