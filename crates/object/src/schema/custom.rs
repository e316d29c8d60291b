//! Custom resource definitions: their versions as kinds among the built-in ones.

use std::sync::Arc;

use serde_json::Value;

use super::discovery::{Resource, Subresource};
use super::list_kind::ListKind;
use super::structural::{Additional, Structural};
use super::table::{Field, Shape, Table, Type};
use super::{Node, Schemas};
use crate::object::NotAnObject;
use crate::{FieldError, Gvk, Gvr, Object};

/// One served version of a custom resource definition.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(super) gvr: Gvr,
    pub(super) resource: Resource,
    /// The kind of its lists.
    pub(super) list_kind: String,
    table: Table,
    root: u32,
    structural: Structural,
    has_rules: bool,
    /// The schema as the definition gives it, for OpenAPI documents.
    pub(super) published: Value,
}

/// A definition that cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// It is no `CustomResourceDefinition` of `apiextensions.k8s.io`.
    #[error("{0} is no CustomResourceDefinition")]
    OtherKind(String),
    /// A name it needs is missing.
    #[error("the definition has no {0}")]
    Missing(&'static str),
    /// It is no object at all.
    #[error(transparent)]
    NotAnObject(#[from] NotAnObject),
}

impl Schemas {
    /// Adds the served versions of a definition; versions of the same kinds that were there are replaced.
    pub fn join(&mut self, definition: &Object) -> Result<(), DefinitionError> {
        if definition.kind() != "CustomResourceDefinition" || definition.group() != "apiextensions.k8s.io" {
            return Err(DefinitionError::OtherKind(definition.key().to_string()));
        }
        let text = |pointer: &str, name| {
            definition.str_at(pointer).filter(|text| !text.is_empty()).ok_or(DefinitionError::Missing(name))
        };
        let (group, kind) = (text("/spec/group", "group")?, text("/spec/names/kind", "kind")?);
        let plural = text("/spec/names/plural", "plural name")?;
        self.leave(definition);
        for version in definition.list_at("/spec/versions") {
            let Some(name) = version.get("name").and_then(Value::as_str) else { continue };
            if version.get("served").and_then(Value::as_bool) == Some(false) {
                continue;
            }
            let gvk = Gvk::new(group, name, kind);
            let custom = Custom::new(definition, version, &gvk, plural);
            self.custom.insert(gvk, Arc::new(custom));
        }
        Ok(())
    }

    /// Adds the custom kinds of others; versions of the same kinds that were there are replaced.
    pub fn take(&mut self, other: Schemas) {
        let is_theirs = |gvk: &Gvk| other.custom.keys().any(|it| it.group == gvk.group && it.kind == gvk.kind);
        self.custom.retain(|gvk, _| !is_theirs(gvk));
        self.custom.extend(other.custom);
    }

    /// Removes all versions of a definition.
    pub fn leave(&mut self, definition: &Object) {
        let (group, kind) = (definition.str_at("/spec/group"), definition.str_at("/spec/names/kind"));
        self.custom.retain(|gvk, _| Some(gvk.group.as_str()) != group || Some(gvk.kind.as_str()) != kind);
    }

    /// The custom kinds with the resources that serve them.
    pub fn custom_kinds(&self) -> impl Iterator<Item = (&Gvk, &Gvr, &Resource)> {
        self.custom.iter().map(|(gvk, custom)| (gvk, &custom.gvr, &custom.resource))
    }

    /// Removes what a custom kind's schema does not know; returns the paths of what was removed, sorted.
    pub fn prune(&self, gvk: &Gvk, value: &mut Value) -> Vec<String> {
        self.custom.get(gvk).map(|custom| custom.structural.prune(value)).unwrap_or_default()
    }

    /// Everything a custom kind's schema and its rules object to; nothing for other kinds.
    pub fn validate_custom(&self, gvk: &Gvk, value: &Value) -> Vec<FieldError> {
        self.custom.get(gvk).map(|custom| custom.validate(value, None)).unwrap_or_default()
    }

    /// The same for an update: what did not change may stay as it is, and rules may compare with what was.
    pub fn validate_custom_update(&self, gvk: &Gvk, value: &Value, old: &Value) -> Vec<FieldError> {
        self.custom.get(gvk).map(|custom| custom.validate(value, Some(old))).unwrap_or_default()
    }

    /// Rules of a custom kind that are not understood and therefore not checked, each with why.
    pub fn rules_not_understood(&self, gvk: &Gvk) -> Vec<String> {
        self.custom.get(gvk).map(|custom| custom.structural.misunderstood()).unwrap_or_default()
    }

    /// Fills in the defaults of a custom kind's schema; false when the kind is not custom.
    pub(crate) fn default_custom(&self, gvk: &Gvk, value: &mut Value) -> bool {
        match self.custom.get(gvk) {
            Some(custom) => {
                custom.structural.default_values(value);
                true
            }
            None => false,
        }
    }
}

impl Custom {
    fn new(definition: &Object, version: &Value, gvk: &Gvk, plural: &str) -> Self {
        let permissive = Value::from_iter([("x-kubernetes-preserve-unknown-fields", Value::Bool(true))]);
        let schema = version.pointer("/schema/openAPIV3Schema").unwrap_or(&permissive);
        let structural = Structural::parse(schema);
        let mut table = Table::default();
        let mut builder = Builder { table: &mut table, prefix: format!("{}.{}.{}", gvk.group, gvk.version, gvk.kind) };
        let root = builder.root(&structural);
        Self {
            gvr: Gvr::new(&*gvk.group, &*gvk.version, plural),
            resource: resource(definition, version, gvk),
            list_kind: definition
                .str_at("/spec/names/listKind")
                .filter(|kind| !kind.is_empty())
                .map_or_else(|| format!("{}List", gvk.kind), str::to_owned),
            table,
            root,
            has_rules: structural.has_rules(),
            structural,
            published: schema.clone(),
        }
    }

    fn validate(&self, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = self.structural.validate(value);
        errors.extend(self.structural.validate_lists(value, ""));
        if let Some(old) = old {
            errors.retain(|error| !is_unchanged(&self.structural, &error.field, value, old));
        }
        if !self.has_rules {
            return errors;
        }
        let blocks = |error: &FieldError| {
            use crate::field_error::Reason::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
            matches!(error.reason, NotSupported | Required | TooLong | TooMany | TypeInvalid)
        };
        if errors.iter().any(blocks) {
            errors.push(FieldError::invalid("", Value::Null, NOT_CHECKED));
        } else {
            errors.extend(self.structural.validate_rules(value, old));
        }
        errors
    }

    pub(super) fn node(&self) -> Node<'_> {
        Node::of_type(&self.table, self.root)
    }
}

/// Rules look at values of the right shape only.
const NOT_CHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// Whether what an error speaks of, or something around it, is as it was: then the fault was there before.
///
/// Items of lists by key have their predecessors by their keys; those of other lists have none
/// (`apiserver/pkg/cel/common.CorrelatedObject`).
fn is_unchanged(schema: &Structural, field: &str, value: &Value, old: &Value) -> bool {
    let (mut schema, mut new, mut old) = (Some(schema), value, old);
    for part in field.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty()) {
        let below = match (new, old) {
            (Value::Array(items), Value::Array(others)) => {
                let item = part.parse::<usize>().ok().and_then(|at| items.get(at));
                let keyed = schema.filter(|schema| schema.list_type == "map");
                item.zip(keyed).and_then(|(item, list)| {
                    let key = list.key_of(item);
                    Some((item, others.iter().find(|other| list.key_of(other) == key)?))
                })
            }
            (Value::Object(fields), Value::Object(others)) => fields.get(part).zip(others.get(part)),
            _ => None,
        };
        let Some(pair) = below else { return false };
        schema = schema.and_then(|schema| match new {
            Value::Array(_) => schema.items.as_deref(),
            _ => schema.below(part),
        });
        (new, old) = pair;
        if new == old {
            return true;
        }
    }
    false
}

fn resource(definition: &Object, version: &Value, gvk: &Gvk) -> Resource {
    let verbs = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect::<Vec<_>>();
    let names = |pointer: &str| {
        definition.list_at(pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut subresources = Vec::new();
    if version.pointer("/subresources/status").is_some() {
        let gvk = gvk.clone();
        subresources.push(Subresource { name: "status".into(), gvk, verbs: verbs(&["get", "patch", "update"]) });
    }
    if version.pointer("/subresources/scale").is_some() {
        let gvk = Gvk::new("autoscaling", "v1", "Scale");
        subresources.push(Subresource { name: "scale".into(), gvk, verbs: verbs(&["get", "patch", "update"]) });
    }
    let text = |pointer: &str| definition.str_at(pointer).unwrap_or_default().to_owned();
    Resource {
        name: text("/spec/names/plural"),
        kind: gvk.kind.clone(),
        singular: Some(text("/spec/names/singular"))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| gvk.kind.to_lowercase()),
        namespaced: definition.str_at("/spec/scope") == Some("Namespaced"),
        verbs: verbs(&["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]),
        short_names: names("/spec/names/shortNames"),
        categories: names("/spec/names/categories"),
        storage_hash: String::new(),
        subresources,
    }
}

/// Turns a structural schema into types that merges walk.
struct Builder<'t> {
    table: &'t mut Table,
    prefix: String,
}

impl Builder<'_> {
    fn root(&mut self, schema: &Structural) -> u32 {
        self.object(schema, true)
    }

    fn object(&mut self, schema: &Structural, embedded: bool) -> u32 {
        let mut fields: Vec<Field> = Vec::new();
        if embedded {
            for name in ["apiVersion", "kind"] {
                fields.push(Field::new(name, Shape::Str(None)));
            }
            fields.push(Field::new("metadata", Shape::Meta));
        }
        for (name, property) in &schema.properties {
            if fields.iter().any(|field| &*field.json == name.as_str()) {
                continue;
            }
            let shape = self.shape(property);
            let required = schema.required.contains(name);
            fields.push(Field { required, default: property.default.clone(), ..Field::new(name, shape) });
        }
        let mut ty = Type::new(&format!("{}.{}", self.prefix, self.table.types.len()), fields);
        ty.custom = true;
        ty.open = schema.preserve_unknown;
        ty.atomic = schema.atomic_map;
        self.table.types.push(ty);
        u32::try_from(self.table.types.len() - 1).unwrap_or(u32::MAX)
    }

    fn shape(&mut self, schema: &Structural) -> Shape {
        if schema.int_or_string {
            return Shape::IntOrString;
        }
        match schema.kind.as_str() {
            "string" => Shape::Str(None),
            "integer" => Shape::Int64,
            "number" => Shape::Float,
            "boolean" => Shape::Bool,
            "array" => {
                let item = schema.items.as_ref().map_or(Shape::Raw, |items| self.shape(items));
                let kind = match schema.list_type.as_str() {
                    "set" => ListKind::Set,
                    "map" => ListKind::Map(schema.list_keys.clone().into_boxed_slice()),
                    _ => ListKind::Atomic,
                };
                Shape::List { item: Box::new(item), kind, wrapped: false }
            }
            "object" => match &schema.additional {
                Additional::Schema(inner) if schema.properties.is_empty() => {
                    Shape::Map { item: Box::new(self.shape(inner)), atomic: schema.atomic_map }
                }
                Additional::Anything => Shape::Raw,
                _ if schema.properties.is_empty() && schema.preserve_unknown && !schema.embedded => Shape::Raw,
                _ => Shape::Ref { id: self.object(schema, schema.embedded), atomic: schema.atomic_map },
            },
            _ => Shape::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn widgets() -> (Schemas, Gvk) {
        let spec = json!({"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "maximum": 5, "default": 3}, "color": {"type": "string", "enum": ["red", "blue"]},
            "host": {"type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
            "port": {"x-kubernetes-int-or-string": true},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "v": {"type": "integer"}}}}}});
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.ex.io"}, "spec": {"group": "ex.io", "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}});
        let mut schemas = Schemas::builtin();
        schemas.join(&Object::from_value(definition).expect("a map")).expect("joins");
        (schemas, Gvk::new("ex.io", "v1", "Widget"))
    }

    fn widget(spec: Value) -> Value {
        json!({"apiVersion": "ex.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec})
    }

    fn errors(spec: Value) -> Vec<String> {
        let (schemas, gvk) = widgets();
        schemas.validate_custom(&gvk, &widget(spec)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn validation_speaks_as_the_server_does() {
        assert_eq!(
            errors(json!({"size": 9})),
            ["spec.size: Invalid value: 9: spec.size in body should be less than or equal to 5"]
        );
        assert_eq!(
            errors(json!({"size": "9"})),
            ["spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\""]
        );
        assert_eq!(
            errors(json!({"size": 1, "color": "green"})),
            ["spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\""]
        );
        assert_eq!(
            errors(json!({"size": 1, "host": "toolong"})),
            ["spec.host: Too long: may not be more than 5 bytes"]
        );
        assert_eq!(errors(json!({})), ["spec.size: Required value"]);
        assert_eq!(errors(json!({"size": 1, "list": [{"v": 1}]})), ["spec.list[0].name: Required value"]);
        assert_eq!(
            errors(json!({"size": 1, "list": [{"name": "x"}, {"name": "x"}]})),
            ["spec.list[1]: Duplicate value: {\"name\":\"x\"}"]
        );
        assert_eq!(errors(json!({"size": 1, "port": "http", "free": {"a": [1]}})), Vec::<String>::new());
    }

    #[test]
    fn rules_are_checked_and_what_did_not_change_may_stay() {
        let rules = json!([
            {"rule": "self.replicas <= self.size", "message": "replicas must not exceed size"},
            {"rule": "self.size >= oldSelf.size", "messageExpression": "'size must not shrink below ' + string(oldSelf.size)", "fieldPath": ".size"},
        ]);
        let spec = json!({"type": "object", "required": ["size"], "x-kubernetes-validations": rules, "properties": {
            "size": {"type": "integer", "maximum": 5}, "replicas": {"type": "integer"},
            "when": {"type": "string", "format": "date-time", "x-kubernetes-validations": [{"rule": "self.getFullYear() > 2000"}]}}});
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.ex.io"}, "spec": {"group": "ex.io", "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget"}, "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}});
        let mut schemas = Schemas::builtin();
        schemas.join(&Object::from_value(definition).expect("a map")).expect("joins");
        let gvk = Gvk::new("ex.io", "v1", "Widget");
        let texts = |errors: Vec<FieldError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        let create = |spec: Value| texts(schemas.validate_custom(&gvk, &widget(spec)));
        let update = |new: Value, old: Value| texts(schemas.validate_custom_update(&gvk, &widget(new), &widget(old)));
        assert_eq!(create(json!({"size": 2, "replicas": 4})), ["spec: Invalid value: replicas must not exceed size"]);
        assert_eq!(
            create(json!({"size": 2, "replicas": 2, "when": "1999-01-01T00:00:00Z"})),
            ["spec.when: Invalid value: \"1999-01-01T00:00:00Z\": failed rule: self.getFullYear() > 2000"]
        );
        assert_eq!(
            create(json!({"size": 2})),
            ["spec: Invalid value: \"object\": no such key: replicas evaluating rule: replicas must not exceed size"]
        );
        let blocked = create(json!({"replicas": 1}));
        assert_eq!(blocked[0], "spec.size: Required value");
        assert!(blocked[1].ends_with(&format!("Invalid value: null: {NOT_CHECKED}")), "{blocked:?}");
        assert_eq!(
            update(json!({"size": 1, "replicas": 1}), json!({"size": 3, "replicas": 1})),
            ["spec.size: Invalid value: size must not shrink below 3"]
        );
        assert_eq!(update(json!({"size": 9, "replicas": 1}), json!({"size": 9})), Vec::<String>::new());
    }

    #[test]
    fn unknown_fields_are_pruned_and_defaults_filled() {
        let (schemas, gvk) = widgets();
        let mut value = widget(
            json!({"zip": 1, "free": {"kept": {"x": 1}}, "list": [{"name": "a", "odd": 1}], "labels": {"l": "v"}}),
        );
        value["extra"] = json!(1);
        let decoded = schemas.decode(&gvk, &value).expect("decodes");
        assert_eq!(
            decoded.findings,
            [r#"unknown field "extra""#, r#"unknown field "spec.list[0].odd""#, r#"unknown field "spec.zip""#]
        );
        let mut object = Object::from_value(decoded.value).expect("a map");
        crate::defaults::apply(&mut object, &schemas);
        assert_eq!(
            object.value()["spec"],
            json!({"size": 3, "free": {"kept": {"x": 1}}, "list": [{"name": "a"}], "labels": {"l": "v"}})
        );
    }

    #[test]
    fn custom_kinds_are_found_by_kind_and_resource() {
        let (mut schemas, gvk) = widgets();
        let (gvr, resource) = schemas.resource_of(&gvk).expect("joined");
        assert_eq!((gvr.to_string().as_str(), resource.singular.as_str()), ("ex.io/v1, Resource=widgets", "widget"));
        assert!(schemas.resource(&gvr).is_some());
        let definition = json!({"spec": {"group": "ex.io", "names": {"kind": "Widget"}}});
        schemas.leave(&Object::from_value(definition).expect("a map"));
        assert!(schemas.kind(&gvk).is_none());
    }

    #[test]
    fn server_side_apply_merges_a_custom_kinds_lists_by_key() {
        use crate::merge::managed::{OnConflict, Writer, apply};
        let (schemas, gvk) = widgets();
        let node = schemas.kind(&gvk).expect("joined");
        let writer = |manager| Writer {
            manager,
            api_version: "ex.io/v1",
            subresource: "",
            time: "2026-01-01T00:00:00Z",
            reset: &[],
        };
        let one =
            apply(None, &widget(json!({"list": [{"name": "a", "v": 1}]})), node, &writer("one"), OnConflict::Refuse)
                .expect("applies");
        let two = apply(
            Some(&one),
            &widget(json!({"list": [{"name": "b", "v": 2}]})),
            node,
            &writer("two"),
            OnConflict::Refuse,
        )
        .expect("applies");
        assert_eq!(two["spec"]["list"], json!([{"name": "a", "v": 1}, {"name": "b", "v": 2}]));
    }
}
