//! Flags as `spf13/pflag` reads them, with its error texts; for every peer that is made with it.

use std::collections::BTreeMap;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or `=true`.
    Bool,
    /// A text.
    Text,
    /// Texts separated by commas, repeatable.
    List,
    /// A text, repeatable.
    Repeat,
    /// A text behind `=` or nothing; what nothing means.
    Optional(&'static str),
    /// Nothing, repeatable.
    Count,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A duration of Go's: `5m0s`.
    Duration,
    /// `name=value` pairs separated by commas, repeatable.
    Pairs,
    /// `table`, `json` or `yaml`.
    Format,
    /// A program, which must be there when the flag is read.
    Program,
}

/// What we do with a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// What Helm does.
    Works,
    /// Nothing, because it changes nothing for this verb.
    NoEffect,
}

/// A flag.
#[derive(Debug)]
pub struct Spec {
    /// What stands behind the two dashes.
    pub name: &'static str,
    /// The letter behind one dash.
    pub short: Option<char>,
    /// What it takes.
    pub kind: Kind,
    /// What is done with it.
    pub support: Support,
    /// Its line of a help text; without one it is not told of.
    pub about: &'static str,
}

/// A flag in the table's shorthand.
pub const fn flag(name: &'static str, kind: Kind, support: Support, about: &'static str) -> Spec {
    Spec { name, short: None, kind, support, about }
}

/// A flag with a letter.
pub const fn short(name: &'static str, letter: char, kind: Kind, support: Support, about: &'static str) -> Spec {
    Spec { name, short: Some(letter), kind, support, about }
}

/// Parsed flags and what stands beside them.
#[derive(Debug, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, Vec<String>>,
    /// Each flag as it was given, in order: its name, and whether a value came with it.
    pub given: Vec<(&'static str, Valued)>,
    /// Arguments that are no flags.
    pub arguments: Vec<String>,
}

/// Whether a flag was given a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Valued {
    /// `--wait=true`, `--timeout 5m`.
    Yes,
    /// `--wait`.
    No,
}

/// The flags' lines of a help text; those that change nothing are left out.
pub fn help(tables: &[&[Spec]]) -> String {
    let mut specs: Vec<&Spec> = tables
        .iter()
        .flat_map(|table| table.iter())
        .filter(|spec| spec.support == Support::Works && !spec.about.is_empty())
        .collect();
    specs.sort_by_key(|spec| spec.name);
    specs
        .iter()
        .map(|spec| {
            let letter = spec.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
            format!("  {letter}--{:<26} {}\n", spec.name, spec.about)
        })
        .collect()
}

impl Flags {
    /// Parses words, in their order; the error is pflag's text. `program` says why a program cannot be run, if so.
    pub fn parse(
        tables: &[&'static [Spec]],
        words: &[String],
        program: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut flags = Flags::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                flags.arguments.extend(words.cloned());
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                if name.is_empty() || name.starts_with('-') {
                    return Err(format!("bad flag syntax: {word}"));
                }
                let spec = find(tables, |spec| spec.name == name).ok_or_else(|| format!("unknown flag: --{name}"))?;
                let shown = match spec.short {
                    Some(letter) => format!("-{letter}, --{name}"),
                    None => format!("--{name}"),
                };
                let bare = value.is_none() && matches!(spec.kind, Kind::Bool | Kind::Count | Kind::Optional(_));
                flags.given.push((spec.name, if bare { Valued::No } else { Valued::Yes }));
                let value = match (value, spec.kind) {
                    (Some(value), _) => value.to_owned(),
                    (None, Kind::Bool | Kind::Count) => "true".to_owned(),
                    (None, Kind::Optional(default)) => default.to_owned(),
                    (None, _) => words.next().cloned().ok_or_else(|| format!("flag needs an argument: --{name}"))?,
                };
                flags.set(spec, value, &shown, program)?;
            } else if word.len() > 1 && word.starts_with('-') {
                let letters = &word[1..];
                for (at, letter) in letters.char_indices() {
                    let spec = find(tables, |spec| spec.short == Some(letter))
                        .ok_or_else(|| format!("unknown shorthand flag: '{letter}' in -{letters}"))?;
                    let rest = &letters[at + letter.len_utf8()..];
                    let shown = format!("-{letter}, --{}", spec.name);
                    flags.given.push((spec.name, Valued::Yes));
                    if matches!(spec.kind, Kind::Bool | Kind::Count) && !rest.starts_with('=') {
                        flags.set(spec, "true".to_owned(), &shown, program)?;
                        continue;
                    }
                    let value = if rest.is_empty() {
                        words
                            .next()
                            .cloned()
                            .ok_or_else(|| format!("flag needs an argument: '{letter}' in -{letters}"))?
                    } else {
                        rest.strip_prefix('=').unwrap_or(rest).to_owned()
                    };
                    flags.set(spec, value, &shown, program)?;
                    break;
                }
            } else {
                flags.arguments.push(word.clone());
            }
        }
        Ok(flags)
    }

    fn set(
        &mut self,
        spec: &'static Spec,
        value: String,
        shown: &str,
        program: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<(), String> {
        let all = self.values.entry(spec.name).or_default();
        match spec.kind {
            Kind::Bool => {
                let truth = match value.as_str() {
                    "1" | "t" | "T" | "TRUE" | "true" | "True" => "true",
                    "0" | "f" | "F" | "FALSE" | "false" | "False" => "false",
                    _ => {
                        return Err(format!(
                            "invalid argument {value:?} for {shown:?} flag: strconv.ParseBool: parsing {value:?}: invalid syntax"
                        ));
                    }
                };
                *all = vec![truth.to_owned()];
            }
            Kind::Int => {
                if whole(&value).is_none() {
                    return Err(format!(
                        "invalid argument {value:?} for {shown:?} flag: strconv.ParseInt: parsing {value:?}: invalid syntax"
                    ));
                }
                *all = vec![value];
            }
            Kind::Float => {
                if value.parse::<f64>().is_err() {
                    return Err(format!(
                        "invalid argument {value:?} for {shown:?} flag: strconv.ParseFloat: parsing {value:?}: invalid syntax"
                    ));
                }
                *all = vec![value];
            }
            Kind::Duration => {
                duration(&value).map_err(|words| format!("invalid argument {value:?} for {shown:?} flag: {words}"))?;
                *all = vec![value];
            }
            Kind::Format => {
                if !matches!(value.as_str(), "table" | "json" | "yaml") {
                    return Err(format!("invalid argument {value:?} for {shown:?} flag: invalid format type"));
                }
                *all = vec![value];
            }
            Kind::Pairs => {
                // pflag takes a text with one `=` as a whole, commas and all.
                let one = value.matches('=').count() == 1;
                let pairs = if one { vec![value.trim_matches('"').to_owned()] } else { comma_separated(&value) };
                for pair in pairs {
                    if !pair.contains('=') {
                        return Err(format!(
                            "invalid argument {value:?} for {shown:?} flag: {pair} must be formatted as key=value"
                        ));
                    }
                    all.push(pair);
                }
            }
            // Without a name the flag says nothing.
            Kind::Program if value.is_empty() => {}
            Kind::Program => {
                program(&value).map_err(|words| format!("invalid argument {value:?} for {shown:?} flag: {words}"))?;
                *all = vec![value];
            }
            Kind::Text | Kind::Optional(_) => *all = vec![value],
            Kind::List => all.extend(comma_separated(&value)),
            Kind::Repeat | Kind::Count => all.push(value),
        }
        Ok(())
    }

    /// Whether a boolean flag was given.
    pub fn is(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// A flag's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// All texts of a repeatable flag.
    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// A flag's whole number.
    pub fn int(&self, name: &str) -> Option<i64> {
        whole(self.text(name)?)
    }

    /// A flag's duration.
    pub fn duration(&self, name: &str) -> Option<std::time::Duration> {
        duration(self.text(name)?).ok()
    }

    /// A flag's pairs.
    pub fn pairs(&self, name: &str) -> BTreeMap<String, String> {
        let pairs = self.all(name).iter().filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// A whole number as Go reads one with its base in front.
fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let number = match digits.get(..2) {
        Some("0x" | "0X") => i64::from_str_radix(&digits[2..], 16),
        Some("0o" | "0O") => i64::from_str_radix(&digits[2..], 8),
        Some("0b" | "0B") => i64::from_str_radix(&digits[2..], 2),
        _ if digits.starts_with(['-', '+']) => return None,
        _ => digits.parse(),
    };
    number.ok().map(|number| if negative { -number } else { number })
}

fn find(tables: &[&'static [Spec]], wanted: impl Fn(&Spec) -> bool) -> Option<&'static Spec> {
    tables.iter().flat_map(|table| table.iter()).find(|spec| wanted(spec))
}

/// One line of comma-separated values; double quotes keep commas.
fn comma_separated(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut one = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                one.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut one)),
            c => one.push(c),
        }
    }
    all.push(one);
    all
}

/// Go's `time.ParseDuration`; what is negative is none. The error is Go's text.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(std::time::Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let number: f64 = match number {
            "" | "." => return Err(invalid()),
            number => number.parse().map_err(|_| invalid())?,
        };
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let scale = match unit {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        seconds += number * scale;
        rest = behind;
    }
    if negative {
        return Ok(std::time::Duration::ZERO);
    }
    // Go counts nanoseconds in 63 bits.
    if seconds > 9_223_372_036.0 {
        return Err(invalid());
    }
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{CHART, GLOBAL, VALUES};

    fn parse(line: &str) -> Result<Flags, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Flags::parse(&[GLOBAL, VALUES, CHART], &words, &|_| Ok(()))
    }

    #[test]
    fn flags_are_read_as_pflag_reads_them() {
        let flags =
            parse("name -fa.yaml,b.yaml --set x=1,y=2 --set=z=3 chart -n web --debug=0 -- --not").expect("fine");
        assert_eq!(flags.arguments, ["name", "chart", "--not"]);
        assert_eq!(flags.all("values"), ["a.yaml", "b.yaml"]);
        assert_eq!(flags.all("set"), ["x=1,y=2", "z=3"]);
        assert_eq!(flags.text("namespace"), Some("web"));
        assert!(!flags.is("debug"));
    }

    #[test]
    fn a_pair_may_hold_commas_when_it_stands_alone() {
        const LABELS: &[Spec] = &[flag("labels", Kind::Pairs, Support::Works, "")];
        let parse = |text: &str| {
            Flags::parse(&[LABELS], &["--labels".to_owned(), text.to_owned()], &|_| Ok(())).map(|it| it.pairs("labels"))
        };
        assert_eq!(parse("a=b,c"), Ok([("a".to_owned(), "b,c".to_owned())].into()));
        assert_eq!(parse("a=b,c=d").map(|pairs| pairs.len()), Ok(2));
        assert!(parse("a=b,c=d,e").is_err_and(|words| words.ends_with("e must be formatted as key=value")));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_same_words() {
        for (line, words) in [
            ("--nope", "unknown flag: --nope"),
            ("-xf", "unknown shorthand flag: 'x' in -xf"),
            ("--set", "flag needs an argument: --set"),
            ("-f", "flag needs an argument: 'f' in -f"),
            (
                "--debug=maybe",
                "invalid argument \"maybe\" for \"--debug\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
        ] {
            assert_eq!(parse(line).err().as_deref(), Some(words));
        }
        const BOTH: &[Spec] = &[
            flag("post-renderer", Kind::Program, Support::Works, ""),
            flag("timeout", Kind::Duration, Support::Works, ""),
        ];
        for (line, named) in
            [("--post-renderer nope --timeout 10", "nope"), ("--timeout 10 --post-renderer nope", "10")]
        {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let refused = Flags::parse(&[BOTH], &words, &|_| Err("not there".to_owned())).expect_err("refused");
            assert!(refused.starts_with(&format!("invalid argument {named:?} for ")), "{refused}");
        }
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        assert_eq!(duration("1h2m3.5s"), Ok(std::time::Duration::from_millis(3_723_500)));
        assert_eq!(duration("300ms"), Ok(std::time::Duration::from_millis(300)));
        assert_eq!(duration("0"), Ok(std::time::Duration::ZERO));
        assert_eq!(duration("-5s"), Ok(std::time::Duration::ZERO));
        assert_eq!(duration("5"), Err("time: missing unit in duration \"5\"".into()));
        assert_eq!(duration("x"), Err("time: invalid duration \"x\"".into()));
        assert_eq!(duration("5d"), Err("time: unknown unit \"d\" in duration \"5d\"".into()));
        assert!(duration("99999999999999h").is_err());
    }
}
