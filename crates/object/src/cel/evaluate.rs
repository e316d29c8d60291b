//! Carrying an expression out.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use regex::Regex;

use super::value::Val;
use super::{Expr, Literal, Loop, LoopKind, Presence, Program, Wrap, functions};

/// Variables with their values.
pub(crate) type Bindings<'v> = [(&'static str, Val<'v>)];

/// How many steps are left; shared by all rules of one object.
#[derive(Debug)]
pub(crate) struct Budget(Cell<u64>);

impl Budget {
    /// So many steps.
    pub(crate) fn steps(steps: u64) -> Self {
        Self(Cell::new(steps))
    }

    /// Whether nothing is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    pub(super) fn spend(&self, steps: usize) -> Result<(), String> {
        let left = self.0.get().saturating_sub(steps as u64);
        self.0.set(left);
        if left == 0 { Err("operation cancelled: actual cost limit exceeded".to_owned()) } else { Ok(()) }
    }
}

impl Program {
    /// The expression's value, or why it has none, in cel-go's words.
    pub(crate) fn evaluate<'v>(&self, bindings: &Bindings<'v>, budget: &Budget) -> Result<Val<'v>, String> {
        let scope = Scope { bindings, local: None, budget, program: self };
        scope.value(&self.root)
    }

    pub(super) fn pattern(&self, text: &str) -> Result<Cow<'_, Regex>, String> {
        match self.patterns.get(text) {
            Some(regex) => Ok(Cow::Borrowed(regex)),
            None => Regex::new(text).map(Cow::Owned).map_err(|error| error.to_string()),
        }
    }
}

/// What names stand for at one place.
struct Scope<'s, 'v> {
    bindings: &'s Bindings<'v>,
    local: Option<Local<'s, 'v>>,
    budget: &'s Budget,
    program: &'s Program,
}

/// A variable of a comprehension, and those around it.
#[derive(Clone, Copy)]
struct Local<'s, 'v> {
    name: &'s str,
    value: &'s Val<'v>,
    outer: Option<&'s Local<'s, 'v>>,
}

type Computed<'v> = Result<Val<'v>, String>;

impl<'s, 'v> Scope<'s, 'v> {
    fn with<'n>(&'n self, name: &'n str, value: &'n Val<'v>) -> Scope<'n, 'v> {
        let local = Local { name, value, outer: self.local.as_ref() };
        Scope { bindings: self.bindings, local: Some(local), budget: self.budget, program: self.program }
    }

    fn name(&self, name: &str) -> Computed<'v> {
        let mut local = self.local.as_ref();
        while let Some(known) = local {
            if known.name == name {
                return Ok(known.value.clone());
            }
            local = known.outer;
        }
        if let Some((_, value)) = self.bindings.iter().find(|(known, _)| *known == name) {
            return Ok(value.clone());
        }
        const TYPES: [&str; 8] = ["bool", "int", "uint", "double", "string", "bytes", "list", "map"];
        match TYPES.iter().find(|known| **known == name) {
            Some(known) => Ok(Val::Type(known)),
            None if name == "null_type" => Ok(Val::Type("null_type")),
            None => Err(format!("no such attribute(s): {name}")),
        }
    }

    fn value(&self, expr: &Expr) -> Computed<'v> {
        self.budget.spend(1)?;
        match expr {
            Expr::Literal(literal) => Ok(literal_value(literal)),
            Expr::Name(name) => self.name(name),
            Expr::Select(of, field, presence) => {
                let of = self.value(of)?;
                select(&of, &Val::text(field.as_str()), *presence)
            }
            Expr::Has(of, field) => match self.value(of)? {
                Val::Optional(None) => Ok(Val::Bool(false)),
                Val::Optional(Some(inner)) => Ok(Val::Bool(inner.member(&Val::text(field.as_str())).is_some())),
                of if of.entries().is_some() => Ok(Val::Bool(of.member(&Val::text(field.as_str())).is_some())),
                _ => Err("no such overload".to_owned()),
            },
            Expr::Index(of, key, presence) => {
                let (of, key) = (self.value(of)?, self.value(key)?);
                select(&of, &key, *presence)
            }
            Expr::And(left, right) => self.both(left, right, false),
            Expr::Or(left, right) => self.both(left, right, true),
            Expr::Choice(condition, then, otherwise) => match self.value(condition)? {
                Val::Bool(true) => self.value(then),
                Val::Bool(false) => self.value(otherwise),
                _ => Err("no such overload".to_owned()),
            },
            Expr::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (presence, item) in items {
                    match (presence, self.value(item)?) {
                        (Presence::Needed, value) => list.push(value),
                        (Presence::Optional, Val::Optional(inner)) => list.extend(inner.as_deref().cloned()),
                        (Presence::Optional, _) => return Err("no such overload".to_owned()),
                    }
                }
                Ok(Val::list(list))
            }
            Expr::Map(entries) => {
                let mut map: Vec<(Val<'v>, Val<'v>)> = Vec::with_capacity(entries.len());
                for (presence, key, value) in entries {
                    let (key, value) = (self.value(key)?, self.value(value)?);
                    let value = match (presence, value) {
                        (Presence::Needed, value) => value,
                        (Presence::Optional, Val::Optional(Some(inner))) => Val::clone(&inner),
                        (Presence::Optional, Val::Optional(None)) => continue,
                        (Presence::Optional, _) => return Err("no such overload".to_owned()),
                    };
                    if map.iter().any(|(known, _)| known.equals(&key)) {
                        return Err("repeated key".to_owned());
                    }
                    map.push((key, value));
                }
                Ok(Val::Map(Arc::new(map)))
            }
            Expr::Loop(comprehension) => self.comprehension(comprehension),
            Expr::OnValue(of, variable, body, wrap) => match self.value(of)? {
                Val::Optional(None) => Ok(Val::Optional(None)),
                Val::Optional(Some(inner)) => {
                    let result = self.with(variable, &inner).value(body)?;
                    Ok(if *wrap == Wrap::Optional { Val::some(result) } else { result })
                }
                _ => Err("no such overload".to_owned()),
            },
            Expr::Call(target, function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len() + 1);
                if let Some(target) = target {
                    values.push(self.value(target)?);
                }
                for argument in arguments {
                    values.push(self.value(argument)?);
                }
                let large = values.iter().filter_map(Val::size).sum::<usize>() / 10;
                self.budget.spend(large)?;
                functions::call(function, &values, self.program)
            }
        }
    }

    /// `&&` and `||`: one side can decide for both, even where the other has no value.
    fn both(&self, left: &Expr, right: &Expr, decides: bool) -> Computed<'v> {
        let left = self.value(left);
        if matches!(left, Ok(Val::Bool(value)) if value == decides) {
            return left;
        }
        let right = self.value(right);
        match (left, right) {
            (_, Ok(Val::Bool(value))) if value == decides => Ok(Val::Bool(decides)),
            (Ok(Val::Bool(_)), Ok(Val::Bool(value))) => Ok(Val::Bool(value)),
            (Err(error), _) | (_, Err(error)) => Err(error),
            _ => Err("no such overload".to_owned()),
        }
    }

    fn comprehension(&self, comprehension: &Loop) -> Computed<'v> {
        let range = self.value(&comprehension.range)?;
        let two = comprehension.variables.len() == 2;
        let pairs: Vec<(Val<'v>, Val<'v>)> = match (range.items(), range.entries()) {
            (Some(items), _) => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| (Val::Int(i64::try_from(at).unwrap_or(i64::MAX)), item))
                .collect(),
            (None, Some(entries)) if two => entries,
            // With one variable, a map is its keys.
            (None, Some(entries)) => entries.into_iter().map(|(key, _)| (Val::Null, key)).collect(),
            (None, None) => return Err("no such overload".to_owned()),
        };
        let mut gather = Gather::default();
        for (key, item) in &pairs {
            let first = comprehension.variables.first().map_or("", String::as_str);
            let outer = if two { self.with(first, key) } else { self.with(first, item) };
            let second = comprehension.variables.get(1).map(|name| outer.with(name, item));
            let scope = second.as_ref().unwrap_or(&outer);
            if let Some(filter) = &comprehension.filter {
                match scope.value(filter)? {
                    Val::Bool(true) => {}
                    Val::Bool(false) => continue,
                    _ => return Err("no such overload".to_owned()),
                }
            }
            let found = scope.value(&comprehension.body);
            if gather.take(comprehension.kind, key, item, found)? == Go::Enough {
                break;
            }
        }
        gather.finish(comprehension.kind)
    }
}

#[derive(PartialEq)]
enum Go {
    On,
    Enough,
}

/// What a comprehension has so far.
#[derive(Default)]
struct Gather<'v> {
    items: Vec<Val<'v>>,
    entries: Vec<(Val<'v>, Val<'v>)>,
    hits: usize,
    decided: bool,
    error: Option<String>,
}

impl<'v> Gather<'v> {
    fn take(&mut self, kind: LoopKind, key: &Val<'v>, item: &Val<'v>, found: Computed<'v>) -> Result<Go, String> {
        let truth = |found: Computed<'v>| match found? {
            Val::Bool(flag) => Ok(flag),
            _ => Err("no such overload".to_owned()),
        };
        match kind {
            // Another item may still decide what this one could not.
            LoopKind::All | LoopKind::Exists => match truth(found) {
                Ok(flag) if flag == (kind == LoopKind::Exists) => {
                    self.decided = true;
                    return Ok(Go::Enough);
                }
                Ok(_) => {}
                Err(error) => {
                    self.error.get_or_insert(error);
                }
            },
            LoopKind::ExistsOne => self.hits += usize::from(truth(found)?),
            LoopKind::Filter => {
                if truth(found)? {
                    self.items.push(item.clone());
                }
            }
            LoopKind::Map | LoopKind::TransformList => self.items.push(found?),
            LoopKind::TransformMap => self.entries.push((key.clone(), found?)),
            LoopKind::TransformMapEntry => {
                let entries = found?.entries().ok_or("no such overload")?;
                for (key, value) in entries {
                    if self.entries.iter().any(|(known, _)| known.equals(&key)) {
                        return Err("insert failed: key already exists".to_owned());
                    }
                    self.entries.push((key, value));
                }
            }
        }
        Ok(Go::On)
    }

    fn finish(self, kind: LoopKind) -> Computed<'v> {
        match (kind, self.error) {
            (LoopKind::All | LoopKind::Exists, Some(error)) if !self.decided => Err(error),
            (LoopKind::All, _) => Ok(Val::Bool(!self.decided)),
            (LoopKind::Exists, _) => Ok(Val::Bool(self.decided)),
            (LoopKind::ExistsOne, _) => Ok(Val::Bool(self.hits == 1)),
            (LoopKind::Filter | LoopKind::Map | LoopKind::TransformList, _) => Ok(Val::list(self.items)),
            (LoopKind::TransformMap | LoopKind::TransformMapEntry, _) => Ok(Val::Map(Arc::new(self.entries))),
        }
    }
}

/// `a.b` and `a[b]`.
fn select<'v>(of: &Val<'v>, key: &Val<'v>, presence: Presence) -> Computed<'v> {
    if let Val::Optional(inner) = of {
        // Once optional, always optional.
        return match inner {
            Some(inner) => select(inner, key, Presence::Optional),
            None => Ok(Val::Optional(None)),
        };
    }
    let found = match (of.items(), key) {
        (Some(items), Val::Int(at)) => match usize::try_from(*at).ok().and_then(|at| items.get(at).cloned()) {
            Some(item) => Some(item),
            None if presence == Presence::Optional => None,
            None => return Err(format!("index out of bounds: {at}")),
        },
        (Some(_), _) => return Err("no such overload".to_owned()),
        (None, _) if of.entries().is_some() => match of.member(key) {
            Some(value) => Some(value),
            None if presence == Presence::Optional => None,
            None => return Err(format!("no such key: {}", functions::as_text(key).unwrap_or_default())),
        },
        (None, _) => return Err("no such overload".to_owned()),
    };
    Ok(match (presence, found) {
        (Presence::Needed, Some(value)) => value,
        (_, found) => Val::Optional(found.map(Arc::new)),
    })
}

fn literal_value<'v>(literal: &Literal) -> Val<'v> {
    match literal {
        Literal::Null => Val::Null,
        Literal::Bool(flag) => Val::Bool(*flag),
        Literal::Int(value) => Val::Int(*value),
        Literal::Uint(value) => Val::Uint(*value),
        Literal::Double(value) => Val::Double(*value),
        Literal::Text(text) => Val::text(text.as_str()),
        Literal::Bytes(bytes) => Val::Bytes(bytes.as_slice().into()),
    }
}
