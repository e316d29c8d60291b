//! What cel-go's compiler would say of an expression of an admission rule, as far as it can be known without types.
//!
//! Syntax, reserved words, variables, functions and fields that do not exist, and a result of a wrong type where it shows from the outside.
//! Whether a function fits the types it is given is not checked; and after the first syntax error within an expression no more are looked for.

use super::parse::{self, Named};
use super::trouble::Trouble;
use super::{Expr, Literal, LoopKind, Presence, RESERVED, functions};

/// What an expression may name, and what it must come to.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// Whether `params` exists.
    pub params: bool,
    /// Whether `authorizer` exists.
    pub authorizer: bool,
    /// The names below `variables`, where there are any.
    pub variables: Option<Vec<String>>,
    /// The types it may come to; any where none is named.
    pub returns: &'static [&'static str],
}

/// Functions of the server's libraries that are not evaluated here.
const NOT_EVALUATED: [&str; 42] = [
    "semver",
    "isSemver",
    "major",
    "minor",
    "patch",
    "path",
    "group",
    "serviceAccount",
    "resource",
    "subresource",
    "namespace",
    "name",
    "check",
    "allowed",
    "reason",
    "errored",
    "error",
    "fieldSelector",
    "labelSelector",
    "validate",
    "format.named",
    "format.dns1123Label",
    "format.dns1123Subdomain",
    "format.dns1035Label",
    "format.qualifiedName",
    "format.dns1123LabelPrefix",
    "format.dns1123SubdomainPrefix",
    "format.dns1035LabelPrefix",
    "format.labelValue",
    "format.uri",
    "format.uuid",
    "format.byte",
    "format.date",
    "format.datetime",
    "jsonpatch.escapeKey",
    "distinct",
    "flatten",
    "slice",
    "sort",
    "sortBy",
    "lists.range",
    "reverse",
];

/// What is wrong with an expression, in the words of the real server.
///
/// # Errors
/// The detail of the field's error.
pub fn check(text: &str, declared: &Declared) -> Result<(), String> {
    let compiled = |troubles: &[Trouble]| {
        let shown: Vec<String> = troubles.iter().map(|trouble| shown(text, trouble)).collect();
        format!("compilation failed: {}", shown.join("\n"))
    };
    let parsed = parse::parse(text).map_err(|troubles| compiled(&troubles))?;
    let reserved = parsed.names.iter().chain(&parsed.calls).filter(|named| RESERVED.contains(&named.name.as_str()));
    let mut troubles: Vec<Trouble> =
        reserved.map(|named| Trouble { at: named.at, what: format!("reserved identifier: {}", named.name) }).collect();
    if troubles.is_empty() {
        troubles.extend(parsed.names.iter().filter(|named| !declared.knows(&named.name)).map(undeclared));
        troubles.extend(parsed.calls.iter().filter(|call| !is_function(&call.name)).map(undeclared));
        troubles.extend(parsed.fields.iter().filter_map(|field| declared.undefined(field)));
    }
    if !troubles.is_empty() {
        troubles.sort_by_key(|trouble| trouble.at);
        return Err(compiled(&troubles));
    }
    let Some(kind) = declared.output(&parsed.root).filter(|kind| !declared.returns.contains(&kind.as_str())) else {
        return Ok(());
    };
    match declared.returns {
        [] => Ok(()),
        [one] => Err(format!("must evaluate to {one} but got {kind}")),
        several => Err(format!("must evaluate to one of [{}] but got {kind}", several.join(" "))),
    }
}

fn is_function(name: &str) -> bool {
    functions::is_known(name) || NOT_EVALUATED.contains(&name)
}

fn undeclared(named: &Named) -> Trouble {
    Trouble { at: named.at, what: format!("undeclared reference to '{}' (in container '')", named.name) }
}

/// An error with its line and a mark below it (`common/error.go`).
fn shown(text: &str, trouble: &Trouble) -> String {
    let before = text.get(..trouble.at).unwrap_or(text);
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let (number, line) = (before.matches('\n').count() + 1, text[begin..].lines().next().unwrap_or_default());
    let column = before[begin..].chars().count();
    let wide = |c: char| c.len_utf8() > 1;
    let dots: String = before[begin..].chars().map(|c| if wide(c) { '．' } else { '.' }).collect();
    let mark = if text[begin + before[begin..].len()..].starts_with(wide) { '＾' } else { '^' };
    let line = line.replace('\t', " ");
    format!("ERROR: <input>:{number}:{}: {}\n | {line}\n | {dots}{mark}", column + 1, trouble.what)
}

/// The types of `request` and `namespaceObject` (`plugin/cel/compile.go`); a type that is not shown cannot be told.
const FIELDS: [(&str, &[(&str, &str)]); 8] = [
    (
        "kubernetes.AdmissionRequest",
        &[
            ("kind", "kubernetes.GroupVersionKind"),
            ("resource", "kubernetes.GroupVersionResource"),
            ("subResource", "string"),
            ("requestKind", "kubernetes.GroupVersionKind"),
            ("requestResource", "kubernetes.GroupVersionResource"),
            ("requestSubResource", "string"),
            ("name", "string"),
            ("namespace", "string"),
            ("operation", "string"),
            ("userInfo", "kubernetes.UserInfo"),
            ("dryRun", "bool"),
            ("options", "dyn"),
        ],
    ),
    ("kubernetes.GroupVersionKind", &[("group", "string"), ("version", "string"), ("kind", "string")]),
    ("kubernetes.GroupVersionResource", &[("group", "string"), ("version", "string"), ("resource", "string")]),
    (
        "kubernetes.UserInfo",
        &[
            ("username", "string"),
            ("uid", "string"),
            ("groups", "list(string)"),
            ("extra", "map(string, list(string))"),
        ],
    ),
    (
        "kubernetes.Namespace",
        &[
            ("metadata", "kubernetes.NamespaceMetadata"),
            ("spec", "kubernetes.NamespaceSpec"),
            ("status", "kubernetes.NamespaceStatus"),
        ],
    ),
    (
        "kubernetes.NamespaceMetadata",
        &[
            ("name", "string"),
            ("generateName", "string"),
            ("namespace", "string"),
            ("labels", "map(string, string)"),
            ("annotations", "map(string, string)"),
            ("UID", "string"),
            ("creationTimestamp", ""),
            ("deletionGracePeriodSeconds", "int"),
            ("deletionTimestamp", ""),
            ("generation", "int"),
            ("resourceVersion", "string"),
            ("finalizers", "list(string)"),
        ],
    ),
    ("kubernetes.NamespaceSpec", &[("finalizers", "list(string)")]),
    ("kubernetes.NamespaceStatus", &[("conditions", "list(kubernetes.NamespaceCondition)"), ("phase", "string")]),
];

impl Declared {
    fn knows(&self, name: &str) -> bool {
        match name {
            "object" | "oldObject" | "request" | "namespaceObject" => true,
            "params" => self.params,
            "authorizer" => self.authorizer,
            "variables" => self.variables.is_some(),
            // The types themselves are values.
            _ => TYPES.contains(&name) || name == "google",
        }
    }

    /// The type of a chain of names, where it can be told.
    fn chain(&self, chain: &str) -> Option<&'static str> {
        let mut names = chain.split('.');
        let mut kind = match names.next()? {
            "object" | "oldObject" | "params" => return Some("dyn"),
            "request" => "kubernetes.AdmissionRequest",
            "namespaceObject" => "kubernetes.Namespace",
            _ => return None,
        };
        for name in names {
            kind = match kind {
                "dyn" => "dyn",
                "map(string, string)" => "string",
                _ => FIELDS.iter().find(|(of, _)| *of == kind)?.1.iter().find(|(field, _)| *field == name)?.1,
            };
        }
        (!kind.is_empty()).then_some(kind)
    }

    /// A field that its type does not have.
    fn undefined(&self, field: &Named) -> Option<Trouble> {
        let (of, name) = field.name.rsplit_once('.')?;
        let missing = if of == "variables" {
            !self.variables.as_ref()?.iter().any(|known| known == name)
        } else {
            let kind = self.chain(of)?;
            let fields = FIELDS.iter().find(|(of, _)| *of == kind)?.1;
            !fields.iter().any(|(known, _)| *known == name)
        };
        missing.then(|| Trouble { at: field.at, what: format!("undefined field '{name}'") })
    }

    /// The type of a result, where it shows.
    fn output(&self, expression: &Expr) -> Option<String> {
        let kind = match expression {
            Expr::Literal(literal) => match literal {
                Literal::Null => "null_type",
                Literal::Bool(_) => "bool",
                Literal::Int(_) => "int",
                Literal::Uint(_) => "uint",
                Literal::Double(_) => "double",
                Literal::Text(_) => "string",
                Literal::Bytes(_) => "bytes",
            },
            Expr::Has(..) | Expr::And(..) | Expr::Or(..) => "bool",
            Expr::Loop(over) if matches!(over.kind, LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne) => "bool",
            Expr::Name(_) | Expr::Select(_, _, Presence::Needed) => match parse::chain(expression) {
                Some(chain) => self.chain(&chain)?,
                None => return self.of_unknown(expression),
            },
            Expr::Index(of, _, Presence::Needed) => match self.output(of)?.as_str() {
                "dyn" => "dyn",
                "list(string)" | "map(string, string)" => "string",
                _ => return None,
            },
            Expr::Choice(_, then, otherwise) => {
                let (then, otherwise) = (self.output(then)?, self.output(otherwise)?);
                let same = then == otherwise || then == "dyn" || otherwise == "dyn";
                return same.then(|| if then == otherwise { then } else { "dyn".to_owned() });
            }
            Expr::Call(_, name, _) => of_call(name)?,
            _ => return None,
        };
        Some(kind.to_owned())
    }

    /// What is read from something of any type is of any type.
    fn of_unknown(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Select(of, _, Presence::Needed) => self.output(of).filter(|kind| kind == "dyn"),
            _ => None,
        }
    }
}

const TYPES: [&str; 10] = ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "type", "null_type"];

/// The type that a function always comes to.
fn of_call(name: &str) -> Option<&'static str> {
    Some(match name {
        "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "!" | "startsWith" | "endsWith" | "contains" | "matches"
        | "bool" | "isURL" | "isIP" | "isCIDR" | "isQuantity" | "isSemver" | "isSorted" | "allowed" | "errored" => {
            "bool"
        }
        "size" | "int" | "indexOf" | "lastIndexOf" => "int",
        "string" | "lowerAscii" | "upperAscii" | "trim" | "replace" | "substring" | "charAt" | "join" | "getHost"
        | "getScheme" => "string",
        "double" => "double",
        "uint" => "uint",
        "bytes" => "bytes",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERAND: &str = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

    fn said(text: &str) -> String {
        let declared = Declared { authorizer: true, returns: &["bool"], ..Declared::default() };
        check(text, &declared).err().unwrap_or_default()
    }

    /// Line and column, and what is said there, of each error.
    fn errors(text: &str) -> Vec<String> {
        let said = said(text);
        let errors = said.strip_prefix("compilation failed: ").unwrap_or(&said).split("ERROR: <input>:").skip(1);
        errors.map(|error| error.lines().next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn sound_expressions_are_let_through() {
        for text in [
            "request.kind.kind == 'Pod' && object.spec.replicas > 1",
            "!(request.userInfo.groups.exists(g, g == 'system:nodes'))",
            "object.spec.template.spec.containers.all(c, has(c.resources) && c.image.startsWith('a/'))",
            "authorizer.group('').resource('pods').check('create').allowed()",
            "has(namespaceObject.metadata.labels) ? namespaceObject.metadata.labels['a'] == 'b' : false",
            "object.?spec.?replicas.orValue(1) > 0",
            "format.dns1123Label().validate(object.metadata.name).hasValue()",
            "semver('1.2.3').isLessThan(semver('2.0.0'))",
            "int(object.a) == 1 && type(object.b) == string",
        ] {
            assert_eq!(said(text), "", "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_as_cel_go_says_it() {
        for (text, wanted) in [
            ("object.x ==", vec![format!("1:12: Syntax error: mismatched input '<EOF>' expecting {OPERAND}")]),
            (
                "*@a | b",
                vec![
                    format!("1:1: Syntax error: extraneous input '*' expecting {OPERAND}"),
                    "1:2: Syntax error: token recognition error at: '@'".to_owned(),
                    "1:5: Syntax error: token recognition error at: '| '".to_owned(),
                ],
            ),
            (
                "a | b",
                vec![
                    "1:3: Syntax error: token recognition error at: '| '".to_owned(),
                    "1:5: Syntax error: extraneous input 'b' expecting <EOF>".to_owned(),
                ],
            ),
            ("1 + 2\n3 +", vec!["2:1: Syntax error: mismatched input '3' expecting <EOF>".to_owned()]),
            ("{\"a\": 1}.\"a\"", vec!["1:10: Syntax error: no viable alternative at input '.\"a\"'".to_owned()]),
            (
                "size('a",
                vec![
                    "1:6: Syntax error: token recognition error at: ''a'".to_owned(),
                    format!(
                        "1:8: Syntax error: mismatched input '<EOF>' expecting {}",
                        OPERAND.replacen("'('", "'(', ')'", 1)
                    ),
                ],
            ),
            ("has(m)", vec!["1:5: invalid argument to has() macro".to_owned()]),
            ("1.all(2, 3)", vec!["1:7: argument must be a simple name".to_owned()]),
            ("while", vec!["1:1: reserved identifier: while".to_owned()]),
            ("nothing == 1", vec!["1:1: undeclared reference to 'nothing' (in container '')".to_owned()]),
            ("object.exists(x, x == y)", vec!["1:23: undeclared reference to 'y' (in container '')".to_owned()]),
            ("request.none == 1", vec!["1:8: undefined field 'none'".to_owned()]),
            ("invent(1)", vec!["1:7: undeclared reference to 'invent' (in container '')".to_owned()]),
        ] {
            assert_eq!(errors(text), wanted, "{text}");
        }
        assert_eq!(
            said("a = b"),
            "compilation failed: ERROR: <input>:1:3: Syntax error: token recognition error at: '= '\n | a = b\n | ..^\n\
             ERROR: <input>:1:5: Syntax error: extraneous input 'b' expecting <EOF>\n | a = b\n | ....^"
        );
    }

    #[test]
    fn a_result_of_another_type_is_refused_where_it_shows() {
        for (text, kind) in [
            ("1", "int"),
            ("'a'", "string"),
            ("object.spec.on", "dyn"),
            ("request.name", "string"),
            ("request.kind", "kubernetes.GroupVersionKind"),
        ] {
            assert_eq!(said(text), format!("must evaluate to bool but got {kind}"), "{text}");
        }
        let text = Declared { returns: &["string", "null_type"], ..Declared::default() };
        assert_eq!(check("1", &text), Err("must evaluate to one of [string null_type] but got int".to_owned()));
    }
}
