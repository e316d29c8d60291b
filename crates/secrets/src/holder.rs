//! The file that holds sealed values: a values file, or a SealedSecret's manifest. It is edited in place.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_yaml::{Node, Scalar, Step, edit};

use crate::{API_VERSION, KIND};

/// The fewest bytes of a sealed value: the length, a session key under RSA with 2,048 bits, an authentication tag.
const LEAST: usize = 2 + 256 + 16;

/// Why a file cannot hold sealed values.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HolderError {
    /// It is no YAML, or cannot be changed in place.
    #[error(transparent)]
    Yaml(#[from] landfall_yaml::Error),
    /// Nothing says where in it the values are.
    #[error("it is no SealedSecret, and no `path` says where in it the sealed values are")]
    NoPath,
    /// What is there is no map.
    #[error("what stands at `{0}` is no map of keys")]
    NoMap(String),
    /// SOPS has encrypted it: with one byte of somebody else's it opens no more.
    #[error("it is encrypted with SOPS, which opens no file into which something else has written")]
    Encrypted,
    /// It is a SealedSecret of another name.
    #[error("it is the SealedSecret `{found}`, and not `{wanted}`")]
    Another {
        /// Its name.
        found: String,
        /// The one that was declared.
        wanted: String,
    },
}

/// A file with sealed values, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    text: String,
    path: Vec<String>,
}

/// Whether a text has the form of a sealed value; where not, why.
///
/// # Errors
/// What is wrong with it.
pub fn sealed_form(text: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| "it is not base64")?;
    let [high, low, ..] = bytes.as_slice() else { return Err("it is empty") };
    let session = usize::from(u16::from_be_bytes([*high, *low]));
    if bytes.len() < LEAST || session < 256 || bytes.len() < 2 + session + 16 {
        return Err("it holds no session key");
    }
    Ok(bytes)
}

impl Holder {
    /// A file's text, with the way to its sealed values; a SealedSecret knows that by itself.
    ///
    /// # Errors
    /// [`HolderError`]
    pub fn of(text: String, path: Option<&str>, target: &str) -> Result<Self, HolderError> {
        if crate::sops::is_sealed(&text) {
            return Err(HolderError::Encrypted);
        }
        let document = landfall_yaml::parse_first(&text)?;
        let said = |way: &[&str]| {
            let way: Vec<Step<'_>> = way.iter().map(|step| Step::Key(step)).collect();
            document.as_ref().and_then(|document| document.at(&way)).and_then(|node| node.text().map(str::to_owned))
        };
        let is_sealed =
            said(&["kind"]).as_deref() == Some(KIND) && said(&["apiVersion"]).as_deref() == Some(API_VERSION);
        if is_sealed && let Some(found) = said(&["metadata", "name"]).filter(|found| found != target) {
            return Err(HolderError::Another { found, wanted: target.to_owned() });
        }
        let path = match path {
            Some(path) => steps(path),
            None if is_sealed => vec!["spec".to_owned(), "encryptedData".to_owned()],
            None => return Err(HolderError::NoPath),
        };
        let holder = Self { text, path };
        holder.entries()?;
        Ok(holder)
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The texts that stand for keys.
    ///
    /// # Errors
    /// [`HolderError`]
    pub fn entries(&self) -> Result<BTreeMap<String, String>, HolderError> {
        let Some(document) = landfall_yaml::parse_first(&self.text)? else { return Ok(BTreeMap::new()) };
        let way: Vec<Step<'_>> = self.path.iter().map(|step| Step::Key(step)).collect();
        let Some(node) = document.at(&way).map(Node::target) else { return Ok(BTreeMap::new()) };
        if node.entries().next().is_none() {
            let is_nothing = matches!(node.text(), Some("" | "null" | "~")) || node.kind() == empty_map();
            let none = || HolderError::NoMap(self.path.join("."));
            return if is_nothing || node.text().is_none() && node.items().next().is_none() {
                Ok(BTreeMap::new())
            } else {
                Err(none())
            };
        }
        let text = |node: Node<'_>| node.target().text().unwrap_or_default().to_owned();
        Ok(node.entries().map(|(key, value)| (text(key), text(value))).collect())
    }

    /// Where a key stands, or the map that it would stand in: line and column from 1.
    pub fn line_of(&self, key: &str) -> Option<u32> {
        let document = landfall_yaml::parse_first(&self.text).ok().flatten()?;
        let mut way: Vec<Step<'_>> = self.path.iter().map(|step| Step::Key(step)).collect();
        way.push(Step::Key(key));
        let node = document.at(&way).or_else(|| document.at(&way[..way.len() - 1]))?;
        u32::try_from(node.span().start.line()).ok()
    }

    /// The same file with another sealed value of a key: no other byte is changed.
    ///
    /// # Errors
    /// [`HolderError::Yaml`] where that cannot be proven.
    pub fn with(&self, key: &str, sealed: &[u8]) -> Result<Self, HolderError> {
        let mut way: Vec<Step<'_>> = self.path.iter().map(|step| Step::Key(step)).collect();
        way.push(Step::Key(key));
        let text = STANDARD.encode(sealed);
        let text = edit::set_or_insert(&self.text, &way, &Scalar::Str(text.into()))?;
        Ok(Self { text, path: self.path.clone() })
    }

    /// The same file without a key.
    ///
    /// # Errors
    /// [`HolderError::Yaml`] where nothing else can be left as it is.
    pub fn without(&self, key: &str) -> Result<Self, HolderError> {
        let mut way: Vec<Step<'_>> = self.path.iter().map(|step| Step::Key(step)).collect();
        way.push(Step::Key(key));
        Ok(Self { text: edit::remove(&self.text, &way)?, path: self.path.clone() })
    }
}

/// A mapping in flow style, which may be empty.
fn empty_map() -> landfall_yaml::Kind {
    landfall_yaml::Kind::Mapping(landfall_yaml::CollectionStyle::Flow)
}

/// The steps of a path as Helm writes them: a backslash takes a dot's meaning.
fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '.' => steps.push(String::new()),
            '\\' => steps.last_mut().into_iter().for_each(|step| step.extend(letters.next())),
            letter => steps.last_mut().into_iter().for_each(|step| step.push(letter)),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: Option<&str> = Some("sealed.data");

    fn holder(text: &str) -> Holder {
        Holder::of(text.to_owned(), PATH, "keys").expect("holds")
    }

    #[test]
    fn a_values_file_gets_its_sealed_values_and_keeps_everything_else() {
        let text = "# größer\r\nsealed:\r\n  enabled: true # on\r\n\r\n  data:\r\n    A: 'AgA'   # first\r\n    \"B\": AgB\r\nweb: {tag: \"1\"}\r\n";
        let edited = holder(text).with("A", b"\x00\x01").expect("edited").with("C", b"new").expect("added");
        let wanted = text.replace("'AgA'", "'AAE='").replace("\"B\": AgB\r\n", "\"B\": AgB\r\n    C: bmV3\r\n");
        assert_eq!(edited.text(), wanted);
        assert_eq!(edited.entries().expect("read")["C"], "bmV3");
        assert_eq!(edited.without("C").expect("removed").text(), text.replace("'AgA'", "'AAE='"));
        assert_eq!(holder(text).line_of("B"), Some(7));
    }

    #[test]
    fn what_is_not_there_yet_is_made_where_it_belongs() {
        for (text, wanted) in [
            ("a: 1\n", "a: 1\nsealed:\n  data:\n    K: eHl6\n"),
            ("sealed:\n  data: {}\n", "sealed:\n  data: {K: eHl6}\n"),
            ("sealed:\n  data:\nb: 1\n", "sealed:\n  data:\n    K: eHl6\nb: 1\n"),
            ("sealed: {data: {A: x}}\n", "sealed: {data: {A: x, K: eHl6}}\n"),
        ] {
            assert_eq!(holder(text).with("K", b"xyz").expect("edited").text(), wanted, "{text}");
        }
    }

    #[test]
    fn a_manifest_knows_its_own_place_and_is_not_taken_for_another() {
        let text = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys}\nspec:\n  encryptedData:\n    A: AgB\n";
        let read = Holder::of(text.to_owned(), None, "keys").expect("holds");
        assert_eq!(read.with("A", b"xyz").expect("edited").text(), text.replace("AgB", "eHl6"));
        let another = Holder::of(text.to_owned(), None, "other").map(drop);
        assert_eq!(another, Err(HolderError::Another { found: "keys".to_owned(), wanted: "other".to_owned() }));
        assert_eq!(Holder::of("a: 1\n".to_owned(), None, "keys").map(drop), Err(HolderError::NoPath));
        assert!(matches!(Holder::of("sealed: {data: [1]}\n".to_owned(), PATH, "keys"), Err(HolderError::NoMap(_))));
        assert!(matches!(Holder::of("sealed: {data: x}\n".to_owned(), PATH, "keys"), Err(HolderError::NoMap(_))));
    }

    #[test]
    fn a_file_that_sops_has_encrypted_holds_none() {
        let text = "sealed:\n  data:\n    A: AgB\ntoken: ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]\nsops:\n  lastmodified: \"2026-11-22T16:17:46Z\"\n  mac: ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]\n";
        assert_eq!(Holder::of(text.to_owned(), PATH, "keys").map(drop), Err(HolderError::Encrypted));
        let torn = text.replace("lastmodified", "since");
        assert_eq!(Holder::of(torn, PATH, "keys").map(drop), Err(HolderError::Encrypted), "nor one that was torn");
        let alike = "sealed: {data: {A: AgB}}\ntoken: ENC[AES256_GCM,x]\nsops: a word\n";
        assert!(Holder::of(alike.to_owned(), PATH, "keys").is_ok(), "it only looks like one");
    }

    #[test]
    fn a_placeholder_is_no_sealed_value() {
        assert!(sealed_form("AgAexampleJWTSECRET").is_err());
        assert!(sealed_form("").is_err());
        let mut real = vec![1, 0];
        real.resize(2 + 256 + 16, 7);
        assert_eq!(sealed_form(&STANDARD.encode(&real)), Ok(real));
    }

    #[test]
    fn a_path_may_hold_dots() {
        assert_eq!(steps(r"a.b\.c.d"), ["a", "b.c", "d"]);
    }

    /// A scalar as somebody may have written it.
    fn scalar() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Za-z0-9][A-Za-z0-9+/=]{0,20}",
            "'[a-zäöü ]{0,9}(''[a-z]{0,3})?'",
            "\"[a-z0-9 é中]{0,9}(\\\\n|\\\\u00e4)?\"",
            Just("null".to_owned()),
            Just("~".to_owned()),
            Just("12".to_owned()),
        ]
    }

    fn comment() -> impl Strategy<Value = String> {
        prop_oneof![3 => Just(String::new()), 1 => "  # [a-zß:\\[\\]{}#'\" ]{0,12}"]
    }

    prop_compose! {
        fn entries()(entries in proptest::collection::btree_map("[A-Z][A-Z_.-]{0,6}", (scalar(), comment(), any::<bool>(), 0..3_usize), 1..6)) -> Vec<(String, String)> {
            let line = |(key, (value, comment, quoted, blank)): (String, (String, String, bool, usize))| {
                let shown = if quoted { format!("\"{key}\"") } else { key.clone() };
                let above = match blank { 1 => "\n", 2 => "    # above\n", _ => "" };
                (key, format!("{above}    {shown}: {value}{comment}\n"))
            };
            entries.into_iter().map(line).collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 200 } else { 400 }))]

        /// LP-41: only the sealed value's own bytes change, in whatever file somebody wrote.
        #[test]
        fn no_byte_beside_the_value_changes(
            entries in entries(), before in "(# [a-zé ]{0,9}\n)?(web:\n  tag: \"1\" # x\n|list:\n- a\n-  b\n|)?",
            after in "(\n|# end\n|  other: [1,  2]\n|tail: |\\+?\n  text\n\n)?", crlf in any::<bool>(), bom in any::<bool>(),
            at in any::<prop::sample::Index>(), sealed in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            let body: String = entries.iter().map(|(_, line)| line.as_str()).collect();
            let mut text = format!("{before}sealed:\n  data:\n{body}{after}");
            if crlf {
                text = text.replace('\n', "\r\n");
            }
            if bom {
                text = format!("\u{feff}{text}");
            }
            // What is no YAML is refused before anything is written.
            let Ok(holder) = Holder::of(text.clone(), PATH, "keys") else { return Ok(()) };
            let key = &entries[at.index(entries.len())].0;
            let Ok(edited) = holder.with(key, &sealed) else { return Ok(()) };
            let new = edited.text();
            let wanted = STANDARD.encode(&sealed);
            prop_assert_eq!(edited.entries().expect("read").get(key).cloned(), Some(wanted.clone()));
            // The line of the key alone differs, and in it the value alone.
            let (old_lines, new_lines): (Vec<&str>, Vec<&str>) = (text.split('\n').collect(), new.split('\n').collect());
            prop_assert_eq!(old_lines.len(), new_lines.len());
            let differing: Vec<usize> = (0..old_lines.len()).filter(|line| old_lines[*line] != new_lines[*line]).collect();
            prop_assert!(differing.len() <= 1, "{:?}\n{}\n{}", differing, text, new);
            for line in differing {
                let (old, new) = (old_lines[line], new_lines[line]);
                let front = old.find(": ").expect("an entry") + 2;
                prop_assert_eq!(&old[..front], &new[..front]);
                let rest = new[front..].trim_start_matches(['\'', '"']);
                prop_assert!(rest.starts_with(&wanted), "{}", new);
                let behind = rest[wanted.len()..].trim_start_matches(['\'', '"']);
                prop_assert!(old.ends_with(behind), "{:?} {:?}", old, new);
            }
            let others = |holder: &Holder| {
                let mut entries = holder.entries().expect("read");
                entries.remove(key);
                entries
            };
            prop_assert_eq!(others(&holder), others(&edited));
        }
    }
}
