//! Operators and functions: the language's own, cel-go's strings, sets and optionals, and what Kubernetes adds (`apiserver/pkg/cel/library`).

use std::cmp::Ordering;
use std::sync::Arc;

use super::network::{self, Url};
use super::value::Val;
use super::{Program, text};
use crate::quantity::Quantity;
use crate::time::{self, Moment};

/// Everything [`call`] knows.
const KNOWN: &[&str] = &[
    "!",
    "-_",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "size",
    "type",
    "dyn",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "duration",
    "timestamp",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "replace",
    "split",
    "substring",
    "trim",
    "format",
    "strings.quote",
    "find",
    "findAll",
    "isSorted",
    "sum",
    "min",
    "max",
    "optional.of",
    "optional.none",
    "optional.ofNonZeroValue",
    "hasValue",
    "value",
    "orValue",
    "or",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "url",
    "isURL",
    "getScheme",
    "getHost",
    "getHostname",
    "getPort",
    "getEscapedPath",
    "getQuery",
    "ip",
    "isIP",
    "ip.isCanonical",
    "family",
    "isUnspecified",
    "isLoopback",
    "isLinkLocalUnicast",
    "isLinkLocalMulticast",
    "isGlobalUnicast",
    "cidr",
    "isCIDR",
    "containsIP",
    "containsCIDR",
    "masked",
    "prefixLength",
    "quantity",
    "isQuantity",
    "isInteger",
    "asInteger",
    "asApproximateFloat",
    "sign",
    "add",
    "sub",
    "isGreaterThan",
    "isLessThan",
    "compareTo",
];

/// Whether a function or operator of this name exists.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

type Computed<'v> = Result<Val<'v>, String>;

fn no_overload<T>() -> Result<T, String> {
    Err("no such overload".to_owned())
}

/// Calls a function; a method's target comes first.
pub(super) fn call<'v>(name: &str, given: &[Val<'v>], program: &Program) -> Computed<'v> {
    if let Some(result) = operator(name, given).or_else(|| conversion(name, given)) {
        return result;
    }
    if let Some(result) = strings(name, given, program).or_else(|| lists(name, given)) {
        return result;
    }
    if let Some(result) = optionals(name, given).or_else(|| moments(name, given)) {
        return result;
    }
    networks(name, given).or_else(|| quantities(name, given)).unwrap_or_else(no_overload)
}

fn operator<'v>(name: &str, given: &[Val<'v>]) -> Option<Computed<'v>> {
    let ordered = |wanted: fn(Ordering) -> bool| match given {
        [a, b] => match a.compare(b) {
            Some(order) => Ok(Val::Bool(wanted(order))),
            None if matches!((a, b), (Val::Double(_), _) | (_, Val::Double(_))) => Ok(Val::Bool(false)),
            None => no_overload(),
        },
        _ => no_overload(),
    };
    Some(match (name, given) {
        ("==", [a, b]) => Ok(Val::Bool(a.equals(b))),
        ("!=", [a, b]) => Ok(Val::Bool(!a.equals(b))),
        ("<", _) => ordered(Ordering::is_lt),
        ("<=", _) => ordered(Ordering::is_le),
        (">", _) => ordered(Ordering::is_gt),
        (">=", _) => ordered(Ordering::is_ge),
        ("!", [Val::Bool(flag)]) => Ok(Val::Bool(!flag)),
        ("-_", [Val::Int(value)]) => value.checked_neg().map(Val::Int).ok_or_else(|| "integer overflow".to_owned()),
        ("-_", [Val::Double(value)]) => Ok(Val::Double(-value)),
        ("-_", [Val::Duration(value)]) => Ok(Val::Duration(-value)),
        ("in", [item, within]) => match (within.items(), within.entries()) {
            (Some(items), _) => Ok(Val::Bool(items.iter().any(|known| known.equals(item)))),
            (None, Some(_)) => Ok(Val::Bool(within.member(item).is_some())),
            _ => no_overload(),
        },
        ("+" | "-" | "*" | "/" | "%", [a, b]) => arithmetic(name, a, b),
        _ => return None,
    })
}

/// Whole numbers of 64 bits, signed or not, in a type that holds both; nothing where even that overflows.
fn whole(name: &str, a: i128, b: i128) -> Result<Option<i128>, String> {
    match name {
        "+" => Ok(a.checked_add(b)),
        "-" => Ok(a.checked_sub(b)),
        "*" => Ok(a.checked_mul(b)),
        "/" if b == 0 => Err("division by zero".to_owned()),
        "/" => Ok(a.checked_div(b)),
        _ if b == 0 => Err("modulus by zero".to_owned()),
        _ => Ok(a.checked_rem(b)),
    }
}

fn arithmetic<'v>(name: &str, a: &Val<'v>, b: &Val<'v>) -> Computed<'v> {
    let overflow = |what: &str| format!("{what} overflow");
    match (a, b) {
        // The remainder would be 0, but its quotient does not fit (cel-go: `moduloInt64Checked`).
        (Val::Int(i64::MIN), Val::Int(-1)) if name == "%" => Err(overflow("integer")),
        (Val::Int(a), Val::Int(b)) => whole(name, (*a).into(), (*b).into())?
            .and_then(|value| i64::try_from(value).ok())
            .map(Val::Int)
            .ok_or_else(|| overflow("integer")),
        (Val::Uint(a), Val::Uint(b)) => whole(name, (*a).into(), (*b).into())?
            .and_then(|value| u64::try_from(value).ok())
            .map(Val::Uint)
            .ok_or_else(|| overflow("unsigned integer")),
        (Val::Double(a), Val::Double(b)) => match name {
            "+" => Ok(Val::Double(a + b)),
            "-" => Ok(Val::Double(a - b)),
            "*" => Ok(Val::Double(a * b)),
            "/" => Ok(Val::Double(a / b)),
            _ => no_overload(),
        },
        (Val::Text(a), Val::Text(b)) if name == "+" => Ok(Val::text(format!("{a}{b}"))),
        (Val::Bytes(a), Val::Bytes(b)) if name == "+" => Ok(Val::Bytes([&**a, &**b].concat().into())),
        (Val::Time(a), Val::Duration(b)) if name == "+" => Ok(Val::Time(a + b)),
        (Val::Time(a), Val::Duration(b)) if name == "-" => Ok(Val::Time(a - b)),
        (Val::Duration(a), Val::Time(b)) if name == "+" => Ok(Val::Time(a + b)),
        (Val::Time(a), Val::Time(b)) if name == "-" => Ok(Val::Duration(a - b)),
        (Val::Duration(a), Val::Duration(b)) if name == "+" => Ok(Val::Duration(a + b)),
        (Val::Duration(a), Val::Duration(b)) if name == "-" => Ok(Val::Duration(a - b)),
        _ => match (name, a.items(), b.items()) {
            ("+", Some(a), Some(b)) => Ok(Val::list(a.into_iter().chain(b).collect())),
            _ => no_overload(),
        },
    }
}

/// A value's text, as `string()` gives it; `None` where it gives none.
pub(super) fn as_text(value: &Val<'_>) -> Option<String> {
    Some(match value {
        Val::Text(text) => text.to_string(),
        Val::Bool(flag) => flag.to_string(),
        Val::Int(value) => value.to_string(),
        Val::Uint(value) => value.to_string(),
        Val::Double(value) => value.to_string(),
        Val::Bytes(bytes) => String::from_utf8(bytes.to_vec()).ok()?,
        Val::Duration(nanos) => text::seconds(*nanos),
        Val::Time(nanos) => {
            let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
            time::seconds_text(Moment { seconds, nanos: 0 })
        }
        Val::Address(address) => address.to_string(),
        Val::Network(address, length) => format!("{address}/{length}"),
        Val::Quantity(quantity) => quantity.to_string(),
        _ => return None,
    })
}

fn conversion<'v>(name: &str, given: &[Val<'v>]) -> Option<Computed<'v>> {
    let range = || Err("range error".to_owned());
    Some(match (name, given) {
        ("dyn", [value]) => Ok(value.clone()),
        ("type", [value]) => Ok(Val::Type(value.type_name())),
        ("size", [value]) => match value.size() {
            Some(size) => Ok(Val::Int(i64::try_from(size).unwrap_or(i64::MAX))),
            None => no_overload(),
        },
        ("int", [value]) => match value {
            Val::Int(_) => Ok(value.clone()),
            Val::Uint(value) => i64::try_from(*value).map(Val::Int).or_else(|_| range()),
            Val::Double(value) if value.abs() < 9.2e18 => Ok(Val::Int(value.trunc() as i64)),
            Val::Double(_) => range(),
            Val::Text(text) => {
                text.parse().map(Val::Int).map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            }
            Val::Time(nanos) => i64::try_from(nanos.div_euclid(1_000_000_000)).map(Val::Int).or_else(|_| range()),
            Val::Duration(nanos) => i64::try_from(*nanos).map(Val::Int).or_else(|_| range()),
            _ => no_overload(),
        },
        ("uint", [value]) => match value {
            Val::Uint(_) => Ok(value.clone()),
            Val::Int(value) => u64::try_from(*value).map(Val::Uint).or_else(|_| range()),
            Val::Double(value) if (0.0..1.8e19).contains(value) => Ok(Val::Uint(value.trunc() as u64)),
            Val::Double(_) => range(),
            Val::Text(text) => {
                text.parse().map(Val::Uint).map_err(|_| format!("strconv.ParseUint: parsing {text:?}: invalid syntax"))
            }
            _ => no_overload(),
        },
        ("double", [value]) => match value {
            Val::Double(_) => Ok(value.clone()),
            Val::Int(value) => Ok(Val::Double(*value as f64)),
            Val::Uint(value) => Ok(Val::Double(*value as f64)),
            Val::Text(text) => text
                .parse()
                .map(Val::Double)
                .map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
            _ => no_overload(),
        },
        ("bool", [value]) => match value {
            Val::Bool(_) => Ok(value.clone()),
            Val::Text(text) => match &**text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Val::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Val::Bool(false)),
                _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
            },
            _ => no_overload(),
        },
        ("bytes", [Val::Text(text)]) => Ok(Val::Bytes(text.as_bytes().into())),
        ("bytes", [value @ Val::Bytes(_)]) => Ok(value.clone()),
        ("string", [value]) => as_text(value).map_or_else(no_overload, |text| Ok(Val::text(text))),
        ("duration", [Val::Text(given)]) => {
            text::duration(given).map(Val::Duration).ok_or_else(|| format!("time: invalid duration {given:?}"))
        }
        ("duration", [value @ Val::Duration(_)]) => Ok(value.clone()),
        ("timestamp", [Val::Text(given)]) => {
            time::parse(given).map(|moment| Val::Time(moment.nanoseconds())).ok_or_else(|| {
                format!("parsing time {given:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {given:?} as \"2006\"")
            })
        }
        ("timestamp", [Val::Int(seconds)]) => Ok(Val::Time(Moment { seconds: *seconds, nanos: 0 }.nanoseconds())),
        ("timestamp", [value @ Val::Time(_)]) => Ok(value.clone()),
        _ => return None,
    })
}

fn strings<'v>(name: &str, given: &[Val<'v>], program: &Program) -> Option<Computed<'v>> {
    let (Val::Text(subject), rest) = (given.first()?, given.get(1..)?) else { return None };
    let count = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    // Positions are those of characters, not of bytes.
    let before = |at: usize| Val::Int(count(subject.get(..at).unwrap_or_default()));
    let byte_at = |at: i64| -> Result<usize, String> {
        let mut places = subject.char_indices().map(|(place, _)| place).chain([subject.len()]);
        usize::try_from(at).ok().and_then(|at| places.nth(at)).ok_or_else(|| format!("index out of range: {at}"))
    };
    Some(match (name, rest) {
        ("contains", [Val::Text(part)]) => Ok(Val::Bool(subject.contains(&**part))),
        ("startsWith", [Val::Text(part)]) => Ok(Val::Bool(subject.starts_with(&**part))),
        ("endsWith", [Val::Text(part)]) => Ok(Val::Bool(subject.ends_with(&**part))),
        ("matches", [Val::Text(pattern)]) => program.pattern(pattern).map(|regex| Val::Bool(regex.is_match(subject))),
        ("find", [Val::Text(pattern)]) => {
            program.pattern(pattern).map(|regex| Val::text(regex.find(subject).map_or("", |found| found.as_str())))
        }
        ("findAll", [Val::Text(pattern), limit @ ..]) => {
            let most = match limit {
                [Val::Int(most)] if *most >= 0 => usize::try_from(*most).unwrap_or(usize::MAX),
                _ => usize::MAX,
            };
            program.pattern(pattern).map(|regex| {
                Val::list(regex.find_iter(subject).take(most).map(|found| Val::text(found.as_str())).collect())
            })
        }
        ("charAt", [Val::Int(at)]) => {
            byte_at(*at).map(|at| Val::text(subject[at..].chars().next().map(String::from).unwrap_or_default()))
        }
        ("indexOf", [Val::Text(part)]) => Ok(subject.find(&**part).map_or(Val::Int(-1), before)),
        ("indexOf", [Val::Text(part), Val::Int(from)]) => {
            byte_at(*from).map(|from| subject[from..].find(&**part).map_or(Val::Int(-1), |at| before(from + at)))
        }
        ("lastIndexOf", [Val::Text(part)]) => Ok(subject.rfind(&**part).map_or(Val::Int(-1), before)),
        ("lastIndexOf", [Val::Text(part), Val::Int(to)]) => byte_at(*to).map(|to| {
            let end = (to + part.len()).min(subject.len());
            subject.get(..end).and_then(|head| head.rfind(&**part)).map_or(Val::Int(-1), before)
        }),
        ("lowerAscii", []) => Ok(Val::text(subject.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(Val::text(subject.to_ascii_uppercase())),
        ("trim", []) => Ok(Val::text(subject.trim())),
        ("replace", [Val::Text(from), Val::Text(to)]) => Ok(Val::text(subject.replace(&**from, to))),
        ("replace", [Val::Text(from), Val::Text(to), Val::Int(most)]) => Ok(Val::text(match usize::try_from(*most) {
            Ok(most) => subject.replacen(&**from, to, most),
            Err(_) => subject.replace(&**from, to),
        })),
        ("split", [Val::Text(by), limit @ ..]) => {
            let parts: Vec<&str> = match limit {
                [Val::Int(0)] => Vec::new(),
                [Val::Int(most)] if *most > 0 => subject.splitn(usize::try_from(*most).unwrap_or(1), &**by).collect(),
                _ if by.is_empty() => subject.split("").filter(|part| !part.is_empty()).collect(),
                _ => subject.split(&**by).collect(),
            };
            Ok(Val::list(parts.into_iter().map(Val::text).collect()))
        }
        ("substring", [Val::Int(from)]) => byte_at(*from).map(|from| Val::text(&subject[from..])),
        ("substring", [Val::Int(from), Val::Int(to)]) if from > to => {
            Err(format!("invalid substring range. start: {from}, end: {to}"))
        }
        ("substring", [Val::Int(from), Val::Int(to)]) => {
            byte_at(*from).and_then(|from| byte_at(*to).map(|to| Val::text(&subject[from..to])))
        }
        ("strings.quote", []) => Ok(Val::text(crate::go_quote(subject))),
        ("format", [arguments]) => match arguments.items() {
            Some(arguments) => formatted(subject, &arguments),
            None => no_overload(),
        },
        _ => return None,
    })
}

/// `%s`, `%d`, `%f`, `%e`, `%b`, `%x`, `%X`, `%o`.
fn formatted<'v>(pattern: &str, arguments: &[Val<'v>]) -> Computed<'v> {
    let mut out = String::new();
    let mut next = arguments.iter().enumerate();
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or("could not parse formatting clause: unexpected end")?;
        let precision =
            rest[..end].strip_prefix('.').and_then(|digits| digits.parse().ok()).unwrap_or(6_usize).min(100);
        let verb = rest[end..].chars().next().unwrap_or(' ');
        rest = &rest[end + verb.len_utf8()..];
        let (place, argument) = next.next().ok_or_else(|| format!("index {} out of range", arguments.len()))?;
        let number = match argument {
            Val::Double(value) => Some(*value),
            Val::Int(value) => Some(*value as f64),
            Val::Uint(value) => Some(*value as f64),
            _ => None,
        };
        let whole = match argument {
            Val::Int(value) => Some(i128::from(*value)),
            Val::Uint(value) => Some(i128::from(*value)),
            Val::Bool(flag) => Some(i128::from(*flag)),
            _ => None,
        };
        let based = |value: i128, digits: String| if value < 0 { format!("-{digits}") } else { digits };
        let written = match (verb, number, whole) {
            ('s', ..) => Some(shown(argument)),
            ('d', _, Some(value)) => Some(value.to_string()),
            ('f', Some(value), _) => Some(format!("{value:.precision$}")),
            ('e', Some(value), _) => {
                let text = format!("{value:.precision$e}");
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
                Some(format!("{digits}e{sign}{exponent:0>2}"))
            }
            ('b', _, Some(value)) => Some(based(value, format!("{:b}", value.unsigned_abs()))),
            ('o', _, Some(value)) => Some(based(value, format!("{:o}", value.unsigned_abs()))),
            ('x', _, Some(value)) => Some(based(value, format!("{:x}", value.unsigned_abs()))),
            ('X', _, Some(value)) => Some(based(value, format!("{:X}", value.unsigned_abs()))),
            ('x' | 'X', ..) => as_text(argument).map(|text| {
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                if verb == 'X' { hex.to_uppercase() } else { hex }
            }),
            _ => None,
        };
        match written {
            Some(written) => out.push_str(&written),
            None => return Err(format!("error during formatting: argument {place} does not fit %{verb}")),
        }
    }
    out.push_str(rest);
    Ok(Val::text(out))
}

/// A value as `%s` prints it.
fn shown(value: &Val<'_>) -> String {
    if let Some(text) = as_text(value) {
        return text;
    }
    if let Some(items) = value.items() {
        return format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "));
    }
    if let Some(entries) = value.entries() {
        let mut entries: Vec<String> =
            entries.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value))).collect();
        entries.sort();
        return format!("{{{}}}", entries.join(", "));
    }
    match value {
        Val::Type(name) => (*name).to_owned(),
        _ => "null".to_owned(),
    }
}

fn lists<'v>(name: &str, given: &[Val<'v>]) -> Option<Computed<'v>> {
    let (items, rest) = (given.first()?.items()?, given.get(1..)?);
    let place = |at: Option<usize>| Val::Int(at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1));
    Some(match (name, rest) {
        ("join", []) => joined(&items, ""),
        ("join", [Val::Text(by)]) => joined(&items, by),
        ("isSorted", []) => {
            let pairs = items.windows(2).map(|pair| pair[0].compare(&pair[1]));
            pairs
                .into_iter()
                .try_fold(true, |sorted, order| order.map(|order| sorted && order.is_le()))
                .map_or_else(no_overload, |sorted| Ok(Val::Bool(sorted)))
        }
        ("sum", []) => match items.split_first() {
            None => Ok(Val::Int(0)),
            Some((first, rest)) => rest.iter().try_fold(first.clone(), |sum, item| arithmetic("+", &sum, item)),
        },
        ("min" | "max", []) => {
            let wanted = if name == "min" { Ordering::Less } else { Ordering::Greater };
            let mut best: Option<&Val<'v>> = None;
            for item in &items {
                match best.map(|best| item.compare(best)) {
                    Some(None) => return Some(no_overload()),
                    Some(Some(order)) if order != wanted => {}
                    _ => best = Some(item),
                }
            }
            best.cloned().ok_or_else(|| format!("{name} called on empty list"))
        }
        ("indexOf", [wanted]) => Ok(place(items.iter().position(|item| item.equals(wanted)))),
        ("lastIndexOf", [wanted]) => Ok(place(items.iter().rposition(|item| item.equals(wanted)))),
        ("sets.contains", [other]) => {
            let other = other.items()?;
            Ok(Val::Bool(other.iter().all(|wanted| items.iter().any(|item| item.equals(wanted)))))
        }
        ("sets.equivalent", [other]) => {
            let other = other.items()?;
            let within = |a: &[Val<'v>], b: &[Val<'v>]| a.iter().all(|item| b.iter().any(|known| known.equals(item)));
            Ok(Val::Bool(within(&items, &other) && within(&other, &items)))
        }
        ("sets.intersects", [other]) => {
            let other = other.items()?;
            Ok(Val::Bool(other.iter().any(|wanted| items.iter().any(|item| item.equals(wanted)))))
        }
        _ => return None,
    })
}

fn joined<'v>(items: &[Val<'v>], by: &str) -> Computed<'v> {
    let texts: Option<Vec<&str>> = items
        .iter()
        .map(|item| match item {
            Val::Text(text) => Some(&**text),
            _ => None,
        })
        .collect();
    texts.map_or_else(no_overload, |texts| Ok(Val::text(texts.join(by))))
}

fn optionals<'v>(name: &str, given: &[Val<'v>]) -> Option<Computed<'v>> {
    Some(match (name, given) {
        ("optional.of", [value]) => Ok(Val::some(value.clone())),
        ("optional.none", []) => Ok(Val::Optional(None)),
        ("optional.ofNonZeroValue", [value]) if value.is_zero() => Ok(Val::Optional(None)),
        ("optional.ofNonZeroValue", [value]) => Ok(Val::some(value.clone())),
        ("hasValue", [Val::Optional(inner)]) => Ok(Val::Bool(inner.is_some())),
        ("value", [Val::Optional(inner)]) => {
            inner.as_deref().cloned().ok_or_else(|| "optional.none() dereference".to_owned())
        }
        ("orValue", [Val::Optional(inner), otherwise]) => {
            Ok(inner.as_deref().cloned().unwrap_or_else(|| otherwise.clone()))
        }
        ("or", [first @ Val::Optional(inner), otherwise @ Val::Optional(_)]) => {
            Ok(if inner.is_some() { first.clone() } else { otherwise.clone() })
        }
        _ => return None,
    })
}

fn moments<'v>(name: &str, given: &[Val<'v>]) -> Option<Computed<'v>> {
    const DAY: i128 = 86_400_000_000_000;
    let number = |value: i128| Some(Ok(Val::Int(i64::try_from(value).unwrap_or(i64::MAX))));
    match (name, given) {
        ("getHours", [Val::Duration(nanos)]) => number(nanos / 3_600_000_000_000),
        ("getMinutes", [Val::Duration(nanos)]) => number(nanos / 60_000_000_000),
        ("getSeconds", [Val::Duration(nanos)]) => number(nanos / 1_000_000_000),
        ("getMilliseconds", [Val::Duration(nanos)]) => number(nanos / 1_000_000 % 1000),
        (_, [Val::Time(nanos)]) => {
            let (days, of_day) = (nanos.div_euclid(DAY), nanos.rem_euclid(DAY));
            let seconds = i64::try_from(days).ok()?.checked_mul(86_400)?;
            let text = time::seconds_text(Moment { seconds, nanos: 0 });
            let part =
                |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<i128>().ok()).unwrap_or(0);
            let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
            number(match name {
                "getFullYear" => year,
                "getMonth" => month - 1,
                "getDate" => day,
                "getDayOfMonth" => day - 1,
                "getDayOfWeek" => (days + 4).rem_euclid(7),
                "getDayOfYear" => {
                    let first = time::parse(&format!("{year:04}-01-01T00:00:00Z"))?.seconds;
                    days - i128::from(first / 86_400)
                }
                "getHours" => of_day / 3_600_000_000_000,
                "getMinutes" => of_day / 60_000_000_000 % 60,
                "getSeconds" => of_day / 1_000_000_000 % 60,
                "getMilliseconds" => of_day / 1_000_000 % 1000,
                _ => return None,
            })
        }
        _ => None,
    }
}

fn networks<'v>(name: &str, given: &[Val<'v>]) -> Option<Computed<'v>> {
    let url = |text: &str| Url::parse(text).map(|url| Val::Url(Arc::new(url)));
    Some(match (name, given) {
        ("isURL", [Val::Text(text)]) => Ok(Val::Bool(url(text).is_some())),
        ("url", [Val::Text(text)]) => url(text).ok_or_else(|| {
            format!("URL parse error during conversion from string: parse {text:?}: invalid URI for request")
        }),
        ("getScheme", [Val::Url(url)]) => Ok(Val::text(url.scheme.as_str())),
        ("getHost", [Val::Url(url)]) => Ok(Val::text(url.host.as_str())),
        ("getHostname", [Val::Url(url)]) => Ok(Val::text(url.hostname())),
        ("getPort", [Val::Url(url)]) => Ok(Val::text(url.port())),
        ("getEscapedPath", [Val::Url(url)]) => Ok(Val::text(url.path.as_str())),
        ("getQuery", [Val::Url(url)]) => {
            let entry = |(key, values): &(String, Vec<String>)| {
                (Val::text(key.as_str()), Val::list(values.iter().map(|value| Val::text(value.as_str())).collect()))
            };
            Ok(Val::Map(Arc::new(url.query.iter().map(entry).collect())))
        }
        ("isIP", [Val::Text(text)]) => Ok(Val::Bool(network::address(text).is_some())),
        ("ip", [Val::Text(text)]) => network::address(text).map(Val::Address).ok_or_else(|| {
            format!("IP Address {text:?} parse error during conversion from string: invalid IP address")
        }),
        ("ip", [Val::Network(address, _)]) => Ok(Val::Address(*address)),
        ("ip.isCanonical", [Val::Text(text)]) => match network::address(text) {
            Some(address) => Ok(Val::Bool(address.to_string() == **text)),
            None => Err(format!("IP Address {text:?} parse error during conversion from string: invalid IP address")),
        },
        ("family", [Val::Address(address)]) => Ok(Val::Int(if address.is_ipv4() { 4 } else { 6 })),
        (_, [Val::Address(address)]) => return network::is(*address, name).map(|flag| Ok(Val::Bool(flag))),
        ("isCIDR", [Val::Text(text)]) => Ok(Val::Bool(network::network(text).is_some())),
        ("cidr", [Val::Text(text)]) => {
            network::network(text).map(|(address, length)| Val::Network(address, length)).ok_or_else(|| {
                format!(
                    "network address parse error during conversion from string: network address {text:?} is invalid"
                )
            })
        }
        ("containsIP", [Val::Network(address, length), Val::Address(inner)]) => {
            Ok(Val::Bool(network::holds((*address, *length), *inner)))
        }
        ("containsIP", [Val::Network(address, length), Val::Text(inner)]) => match network::address(inner) {
            Some(inner) => Ok(Val::Bool(network::holds((*address, *length), inner))),
            None => Err(format!("IP Address {inner:?} parse error during conversion from string: invalid IP address")),
        },
        ("containsCIDR", [Val::Network(address, length), inner]) => {
            let inner = match inner {
                Val::Network(address, length) => Some((*address, *length)),
                Val::Text(text) => network::network(text),
                _ => return None,
            };
            match inner {
                Some((start, inner)) => Ok(Val::Bool(inner >= *length && network::holds((*address, *length), start))),
                None => Err("network address parse error during conversion from string".to_owned()),
            }
        }
        ("masked", [Val::Network(address, length)]) => Ok(Val::Network(network::masked(*address, *length), *length)),
        ("prefixLength", [Val::Network(_, length)]) => Ok(Val::Int(i64::from(*length))),
        _ => return None,
    })
}

fn quantities<'v>(name: &str, given: &[Val<'v>]) -> Option<Computed<'v>> {
    let made = |quantity: Quantity| Ok(Val::Quantity(Arc::new(quantity)));
    let from = |whole: i64| Quantity::from_units(whole, crate::quantity::QuantityFormat::DecimalSi);
    Some(match (name, given) {
        ("isQuantity", [Val::Text(text)]) => Ok(Val::Bool(text.parse::<Quantity>().is_ok())),
        ("quantity", [Val::Text(text)]) => {
            text.parse().map_err(|error: crate::quantity::ParseQuantityError| error.to_string()).and_then(made)
        }
        ("isInteger", [Val::Quantity(quantity)]) => Ok(Val::Bool(is_whole(quantity))),
        ("asInteger", [Val::Quantity(quantity)]) if is_whole(quantity) => Ok(Val::Int(quantity.units())),
        ("asInteger", [Val::Quantity(_)]) => Err("cannot convert value to integer".to_owned()),
        ("asApproximateFloat", [Val::Quantity(quantity)]) => Ok(Val::Double(quantity.millis() as f64 / 1000.0)),
        ("sign", [Val::Quantity(quantity)]) => Ok(Val::Int(i64::from(quantity.signum()))),
        ("add", [Val::Quantity(a), Val::Quantity(b)]) => made(a.plus(b)),
        ("add", [Val::Quantity(a), Val::Int(b)]) => made(a.plus(&from(*b))),
        ("sub", [Val::Quantity(a), Val::Quantity(b)]) => made(a.minus(b)),
        ("sub", [Val::Quantity(a), Val::Int(b)]) => made(a.minus(&from(*b))),
        ("isGreaterThan", [Val::Quantity(a), Val::Quantity(b)]) => Ok(Val::Bool(a > b)),
        ("isLessThan", [Val::Quantity(a), Val::Quantity(b)]) => Ok(Val::Bool(a < b)),
        ("compareTo", [Val::Quantity(a), Val::Quantity(b)]) => Ok(Val::Int(a.cmp(b) as i64)),
        _ => return None,
    })
}

fn is_whole(quantity: &Quantity) -> bool {
    *quantity == Quantity::from_units(quantity.units(), crate::quantity::QuantityFormat::DecimalSi)
}
