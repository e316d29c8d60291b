use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use super::{Str, Value, Watch};
use crate::call::CallCtx;
use crate::func::{FuncError, Signature};

/// An object that is not plain data: a time, a version, the chart's metadata, `.Files`.
///
/// What a template does with it asks in Go's order: a method of that name, then a field, then (for a defined type over
/// a basic type) the value below.
pub trait Host: Any + Send + Sync + fmt::Debug {
    /// What `%T` prints, such as `time.Time` or `*semver.Version`.
    fn type_name(&self) -> Cow<'static, str>;

    /// Whether the object is an instance of that interface or of what a pointer stands for; the name is a
    /// [`Type::Host`](super::Type::Host)'s.
    fn implements(&self, type_name: &str) -> bool {
        let _ = type_name;
        false
    }

    /// The kind that `kindOf` tells.
    fn kind(&self) -> HostKind {
        HostKind::Struct
    }

    /// For a defined type over a basic one: the value below (`time.Duration` → `int64`, `engine.files` → a map).
    /// Length, truth, `range`, `index`, comparison and printing use it.
    fn underlying(&self) -> Option<Value> {
        None
    }

    /// An exported field.
    fn field(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// All fields in the order of their declaration, for `%v` and `%+v` and as the default JSON form.
    fn fields(&self) -> Vec<(Cow<'static, str>, Value)> {
        Vec::new()
    }

    /// The fields that nobody outside can reach, for verbs that do not ask the object for its text.
    fn unexported(&self) -> Vec<(Cow<'static, str>, Value)> {
        Vec::new()
    }

    /// Whether a [`HostKind::Pointer`] leads nowhere.
    fn is_nil(&self) -> bool {
        false
    }

    /// The parameters of a method, if there is one of that name.
    fn method(&self, name: &str) -> Option<Signature> {
        let _ = name;
        None
    }

    /// Calls a method; the arguments already fit what [`Host::method`] told.
    ///
    /// # Errors
    /// What the method itself refuses; becomes `error calling NAME: …`.
    fn call(&self, name: &str, args: &[Value], ctx: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        let _ = (args, ctx);
        Err(FuncError::new(format!("{name} is not a method")))
    }

    /// What the type's `String()` or `Error()` gives, if it has one.
    fn text(&self) -> Option<Str> {
        None
    }

    /// What an action that prints the object by itself shows, where that is not what `%v` gives: a `String` method
    /// with a pointer receiver counts only where Go can take the field's address.
    fn printed(&self) -> Option<Str> {
        None
    }

    /// What a parameter of type `interface{}` gets of the object, where that is not the object itself: a copy whose address Go
    /// cannot take any more, so that methods with a pointer receiver are gone.
    fn copied(&self) -> Option<Value> {
        None
    }

    /// What Sprig's `deepCopy` makes of the object, where that is not the object itself: it leaves unexported fields out.
    fn deep_copied(&self) -> Option<Value> {
        None
    }

    /// The JSON text that `encoding/json` would write (HTML-escaped as `json.Marshal` does), if it is not simply
    /// that of [`Host::underlying`] or of the fields.
    fn json(&self) -> Option<String> {
        None
    }

    /// The fields under the names that tags for `yaml.v3` give them, without those that are left out empty; `None` where
    /// the type has no such tags.
    fn yaml_fields(&self) -> Option<Vec<(Cow<'static, str>, Value)>> {
        None
    }

    /// Has what it holds watched, where that is not in its [`Host::fields`].
    fn watch(&self, watch: &Watch) {
        let _ = watch;
    }

    /// Whether it is Go's error type, so that it is printed by its message.
    fn is_error(&self) -> bool {
        false
    }
}

/// Go's `reflect.Kind` of a host object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// A struct: always true, printed `{a b}`.
    Struct,
    /// A pointer to a struct: always true, printed `&{a b}` at the top and as an address inside others.
    Pointer,
    /// A defined type; the kind is that of [`Host::underlying`].
    Defined,
}

impl dyn Host {
    /// The object as its own type, for functions that made it.
    pub fn downcast_ref<T: Host>(&self) -> Option<&T> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}
