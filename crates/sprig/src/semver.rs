//! Versions as templates hold them: `semver` and `semverCompare`.

use std::borrow::Cow;
use std::cmp::Ordering;

use landfall_gotemplate::{CallCtx, Data, Func, FuncError, FuncMap, Host, HostKind, Signature, Str, Type, Value};

use crate::constraint::Constraint;
use crate::version::Version;

const VERSION: Type = Type::Host("*semver.Version");

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert("semver", Func::new(&[Type::String], |_, a| Ok(Value::host(parse(&a.str(0))?))));
    funcs.insert(
        "semverCompare",
        Func::new(&[Type::String, Type::String], |_, a| {
            let constraint = Constraint::parse(&a.str(0)).map_err(|error| FuncError::new(error.to_string()))?;
            Ok(Value::from(constraint.check(&parse(&a.str(1))?.0)))
        }),
    );
}

fn parse(text: &str) -> Result<Parsed, FuncError> {
    Version::parse(text)
        .map(|version| Parsed(version, HostKind::Pointer))
        .map_err(|error| FuncError::new(error.to_string()))
}

/// A version in a template.
#[derive(Debug)]
struct Parsed(Version, HostKind);

impl Parsed {
    fn normal(&self) -> String {
        let Version { major, minor, patch, pre, metadata, .. } = &self.0;
        let mut text = format!("{major}.{minor}.{patch}");
        if !pre.is_empty() {
            text.push('-');
            text.push_str(pre);
        }
        if !metadata.is_empty() {
            text.push('+');
            text.push_str(metadata);
        }
        text
    }

    fn bumped(&self, major: u64, minor: u64, patch: u64) -> Value {
        let version = Version {
            major,
            minor,
            patch,
            pre: String::new(),
            metadata: String::new(),
            original: format!("{}{major}.{minor}.{patch}", if self.0.original.starts_with('v') { "v" } else { "" }),
        };
        Value::host(Parsed(version, HostKind::Struct))
    }
}

impl Host for Parsed {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(if self.1 == HostKind::Pointer { "*semver.Version" } else { "semver.Version" })
    }

    fn kind(&self) -> HostKind {
        self.1
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "String" | "IncMajor" | "IncMinor"
            | "IncPatch" => Signature::fixed(&[]),
            // Methods of the pointer: what a method gives is a value that has no address.
            "Original" if self.1 == HostKind::Pointer => Signature::fixed(&[]),
            "Compare" | "Equal" | "LessThan" | "GreaterThan" | "LessThanEqual" | "GreaterThanEqual"
                if self.1 == HostKind::Pointer =>
            {
                Signature::fixed(&[VERSION])
            }
            "SetPrerelease" | "SetMetadata" => Signature::fixed(&[Type::String]),
            _ => return None,
        })
    }

    fn call(&self, name: &str, args: &[Value], _: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        let version = &self.0;
        let number = |number: u64| Value::from(Data::Uint64(number));
        let order = || match args.first().and_then(Value::as_host::<Parsed>) {
            Some(other) => Ok(version.precedence(&other.0)),
            None => Err(FuncError::new(crate::cast::NIL_DEREFERENCE)),
        };
        let text = || args.first().and_then(Value::as_str).map(|text| text.to_string_lossy().into_owned());
        Ok(match name {
            "Major" => number(version.major),
            "Minor" => number(version.minor),
            "Patch" => number(version.patch),
            "Prerelease" => Value::from(version.pre.as_str()),
            "Metadata" => Value::from(version.metadata.as_str()),
            "Original" => Value::from(version.original.as_str()),
            "String" => Value::from(self.normal()),
            // A prerelease's next patch is the release itself.
            "IncPatch" if !version.pre.is_empty() => self.bumped(version.major, version.minor, version.patch),
            "IncPatch" => self.bumped(version.major, version.minor, version.patch.wrapping_add(1)),
            "IncMinor" => self.bumped(version.major, version.minor.wrapping_add(1), 0),
            "IncMajor" => self.bumped(version.major.wrapping_add(1), 0, 0),
            "Compare" => Value::int(match order()? {
                Ordering::Less => -1,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            }),
            "Equal" => Value::from(order()? == Ordering::Equal),
            "LessThan" => Value::from(order()? == Ordering::Less),
            "GreaterThan" => Value::from(order()? == Ordering::Greater),
            "LessThanEqual" => Value::from(order()? != Ordering::Greater),
            "GreaterThanEqual" => Value::from(order()? != Ordering::Less),
            "SetPrerelease" | "SetMetadata" => {
                let mut changed = version.clone();
                let field = if name == "SetPrerelease" { &mut changed.pre } else { &mut changed.metadata };
                *field = text().unwrap_or_default();
                let changed = Parsed(changed, HostKind::Struct).normal();
                Value::host(Parsed(parse(&changed)?.0, HostKind::Struct))
            }
            _ => return Err(FuncError::new(format!("{name} is not a method"))),
        })
    }

    /// All are unexported in Go; the text as it was read counts where versions are compared whole.
    fn fields(&self) -> Vec<(Cow<'static, str>, Value)> {
        let version = &self.0;
        let numbers = [("major", version.major), ("minor", version.minor), ("patch", version.patch)];
        let texts = [("pre", &version.pre), ("metadata", &version.metadata), ("original", &version.original)];
        let numbers = numbers.into_iter().map(|(name, number)| (name, Value::from(Data::Uint64(number))));
        let texts = texts.into_iter().map(|(name, text)| (name, Value::from(text.as_str())));
        numbers.chain(texts).map(|(name, value)| (Cow::Borrowed(name), value)).collect()
    }

    fn text(&self) -> Option<Str> {
        Some(Str::from(self.normal()))
    }

    fn json(&self) -> Option<String> {
        serde_json::to_string(&self.normal()).ok()
    }

    fn deep_copied(&self) -> Option<Value> {
        let nothing = Version {
            major: 0,
            minor: 0,
            patch: 0,
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
        };
        Some(Value::host(Parsed(nothing, HostKind::Pointer)))
    }
}
