//! Health that scripts of `argocd-cm` tell: which of them is about an object, and what it says of it.

mod lua;

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_engine::Clock;
use landfall_object::health::{HealthRules, OwnRules, Verdict};
use landfall_object::{Gvk, Health, HealthStatus, Object};

use self::lua::Fault;
use crate::glob::fits;

/// The longest sentence that a script tells, in characters: it goes into the status of every Application that has such an object.
const LONGEST: usize = 1000;

/// The scripts of kinds, `GROUP/KIND` or `KIND`, and of globs of those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthScripts(BTreeMap<String, Script>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Script {
    text: String,
    /// Where it stands, in the user's words.
    place: String,
}

impl HealthScripts {
    /// Takes the script of a kind, and where it stands.
    pub(crate) fn take(&mut self, kind: String, text: &str, place: String) {
        self.0.insert(kind, Script { text: text.to_owned(), place });
    }

    /// Leaves the script of a kind out; whether there was one.
    pub(crate) fn leave_out(&mut self, kind: &str) -> bool {
        self.0.remove(kind).is_some()
    }

    /// The script about a kind (util/lua, `GetHealthScript`): its own, else the first one of a glob that fits it.
    fn about(&self, group: &str, kind: &str) -> Option<&Script> {
        let kind = if group.is_empty() { kind.to_owned() } else { format!("{group}/{kind}") };
        let is_glob = |name: &str| name.contains(['*', '?', '[', '{']);
        let globs = || self.0.iter().filter(|(name, _)| is_glob(name)).find(|(glob, _)| fits(glob, &kind));
        self.0.get(&kind).or_else(|| globs().map(|(_, script)| script))
    }

    /// Whether they say of a kind what others say of it.
    pub fn agree(&self, others: &Self, gvk: &Gvk) -> bool {
        self.about(&gvk.group, &gvk.kind) == others.about(&gvk.group, &gvk.kind)
    }

    /// What they say of an object that is not going; where none of them is about it, what Argo CD's own rules say.
    pub fn of_present(&self, object: &Object, clock: &Arc<dyn Clock>) -> Verdict {
        let Some(script) = self.about(object.group(), object.kind()) else { return OwnRules.of_present(object) };
        match lua::run(&script.text, &shown(object), clock) {
            Ok(Some(mut health)) => {
                if let Some((end, _)) = health.message.char_indices().nth(LONGEST) {
                    health.message.truncate(end);
                }
                Verdict::Fares(health)
            }
            Ok(None) => Verdict::Silent,
            Err(Fault { line, message }) => {
                let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
                Verdict::Fares(Health::new(HealthStatus::Unknown, format!("{}{line}: {message}", script.place)))
            }
        }
    }
}

/// An object as a script sees it: what a Secret holds would be told in the status of its Application.
fn shown(object: &Object) -> serde_json::Value {
    let mut value = object.value().clone();
    if (object.group(), object.kind()) == ("", "Secret")
        && let Some(fields) = value.as_object_mut()
    {
        fields.retain(|field, _| !matches!(field.as_str(), "data" | "stringData"));
    }
    value
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::BoxFuture;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Time that stands still: what ends, ends by the count of its instructions and by its memory alone.
    struct Still;

    impl Clock for Still {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::new(1_700_000_000, 0).expect("a time")
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    fn still() -> Arc<dyn Clock> {
        Arc::new(Still)
    }

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    fn order(status: Value) -> Object {
        object(
            json!({"apiVersion": "shop.example.com/v1", "kind": "Order", "metadata": {"name": "a"}, "status": status}),
        )
    }

    fn said(script: &str, object: &Object) -> Verdict {
        let mut scripts = HealthScripts::default();
        let kind = if object.group().is_empty() {
            object.kind().to_owned()
        } else {
            format!("{}/{}", object.group(), object.kind())
        };
        scripts.take(kind, script, "health of argocd-cm".to_owned());
        scripts.of_present(object, &still())
    }

    fn fares(status: HealthStatus, message: &str) -> Verdict {
        Verdict::Fares(Health::new(status, message))
    }

    const USUAL: &str = r#"
hs = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for i, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" and condition.status == "False" then
      hs.status = "Degraded"
      hs.message = condition.message
      return hs
    end
    if condition.type == "Ready" and condition.status == "True" then
      hs.status = "Healthy"
      hs.message = condition.message .. " x" .. #obj.status.conditions .. " " .. tostring(obj.status.size)
      return hs
    end
  end
end
hs.status = "Progressing"
hs.message = "Waiting"
return hs
"#;

    #[test]
    fn a_script_says_how_an_object_fares() {
        let ready =
            |status: &str| json!({"size": 3, "conditions": [{"type": "Ready", "status": status, "message": "m"}]});
        assert_eq!(said(USUAL, &order(ready("True"))), fares(HealthStatus::Healthy, "m x1 3"));
        assert_eq!(said(USUAL, &order(ready("False"))), fares(HealthStatus::Degraded, "m"));
        assert_eq!(said(USUAL, &order(Value::Null)), fares(HealthStatus::Progressing, "Waiting"));
    }

    /// util/lua, `ExecuteHealthLua`: nothing and an empty table say nothing, and neither does what has a field of another type.
    #[test]
    fn what_a_script_does_not_say_is_silence_and_what_it_cannot_say_is_told_with_its_line() {
        let one = order(json!({}));
        for silent in ["", "return nil", "return {}", "local hs = {}", "return {status = 5}", "return {1, 2}"] {
            assert_eq!(said(silent, &one), Verdict::Silent, "{silent}");
        }
        let invalid = fares(HealthStatus::Unknown, "Lua returned an invalid health status");
        assert_eq!(said("return {message = 'x'}", &one), invalid);
        assert_eq!(said("return {status = 'Fine'}", &one), invalid);
        for (script, told) in [
            ("return 'Healthy'", "health of argocd-cm: expect table output from Lua script, not string"),
            ("\nreturn obj.status.a.b", "health of argocd-cm, line 2: attempt to index field 'a' (a nil value)"),
            ("return {", "health of argocd-cm, line 1: unexpected symbol near '<eof>'"),
            ("error('no luck')", "health of argocd-cm, line 1: no luck"),
            (
                "return string.rep('x', 3)",
                "health of argocd-cm, line 1: attempt to index global 'string' (a nil value)",
            ),
        ] {
            assert_eq!(said(script, &one), fares(HealthStatus::Unknown, told), "{script}");
        }
        let caught =
            "local ok, why = pcall(function() error('x') end)\nreturn {status = ok and 'Healthy' or 'Degraded'}";
        assert_eq!(said(caught, &one), fares(HealthStatus::Degraded, ""));
        let late = "return {status = os.time() == 1700000000 and require('os').time({year = 2023, month = 11, day = 14, hour = 22, min = 13, sec = 20}) == os.time() and 'Healthy' or 'Degraded'}";
        assert_eq!(said(late, &one), fares(HealthStatus::Healthy, ""));
    }

    #[test]
    fn the_script_of_a_kind_comes_before_that_of_a_glob_and_whose_is_neither_has_its_own_rules() {
        let mut scripts = HealthScripts::default();
        let says = |status: &str| format!("return {{status = '{status}'}}");
        scripts.take("*.example.com/*".to_owned(), &says("Suspended"), "a".to_owned());
        scripts.take("shop.example.com/Order".to_owned(), &says("Degraded"), "b".to_owned());
        scripts.take("ConfigMap".to_owned(), &says("Missing"), "c".to_owned());
        let of = |api_version: &str, kind: &str| {
            let one = object(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}));
            scripts.of_present(&one, &still())
        };
        assert_eq!(of("shop.example.com/v1", "Order"), fares(HealthStatus::Degraded, ""));
        assert_eq!(of("shop.example.com/v1", "Basket"), fares(HealthStatus::Suspended, ""));
        assert_eq!(of("v1", "ConfigMap"), fares(HealthStatus::Missing, ""));
        assert_eq!(of("v1", "Service"), fares(HealthStatus::Healthy, ""));
        assert_eq!(of("example.org/v1", "Order"), Verdict::Healthless);
    }

    #[test]
    fn what_a_secret_holds_is_not_shown_to_a_script() {
        let secret =
            object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "aGVsbG8="}}));
        let script = "return {status = 'Healthy', message = obj.data and obj.data.k or 'nothing'}";
        assert_eq!(said(script, &secret), fares(HealthStatus::Healthy, "nothing"));
    }

    /// None of it ends by itself, or within the memory of a machine; time stands still here.
    #[test]
    fn what_would_not_end_is_ended() {
        for script in [
            "while true do end",
            "while true do pcall(function() while true do end end) end",
            "local function f() pcall(f) while true do pcall(f) end end f()",
            "local function f() return f() end return f()",
            "local function f() return 1 + f() end return f()",
            "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end return t.a",
            "local s = 'x' while true do s = s .. s end",
            "local t = {} while true do t[#t + 1] = ('x') .. #t end",
            "local t = {} for i = 1, 1e9 do table.insert(t, 1, i) end",
            "local t = {} for i = 1, 60000 do t[i] = -i end while true do table.sort(t) end",
            "local t = {} for i = 1, 60000 do t[i] = 'x' end while true do table.concat(t) end",
            "local t = {} for i = 1, 5000 do t[i] = i end while true do local n = select('#', unpack(t)) end",
            "table.sort({1, 2, 3, 4, 5}, function() while true do end end)",
            "return {status = 'Healthy', message = table.concat({('x'):rep(1e9)})}",
            "for _, v in pairs(setmetatable({}, {__index = function() return 1 end})) do end while true do next({}) end",
            "local co = coroutine.wrap(function() while true do end end) co()",
            "local p = newproxy(true) getmetatable(p).__gc = function() while true do end end p = nil collectgarbage()",
        ] {
            let Verdict::Fares(health) = said(script, &order(json!({}))) else { panic!("{script} says nothing") };
            assert_eq!(health.status, HealthStatus::Unknown, "{script}: {}", health.message);
        }
        let deep = format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(
            matches!(said(&deep, &order(json!({}))), Verdict::Fares(health) if health.status == HealthStatus::Unknown)
        );
        let long = "local s = 'x' for i = 1, 14 do s = s .. s end return {status = 'Healthy', message = s}";
        let Verdict::Fares(health) = said(long, &order(json!({}))) else { panic!("it says nothing") };
        assert_eq!(health.message.len(), LONGEST);
    }

    #[test]
    fn what_reaches_out_of_a_script_is_not_there() {
        let names = [
            "io",
            "debug",
            "package",
            "module",
            "dofile",
            "loadfile",
            "load",
            "loadstring",
            "collectgarbage",
            "getfenv",
            "setfenv",
            "newproxy",
            "coroutine",
            "xpcall",
            "gcinfo",
            "string",
            "math",
        ];
        for name in names {
            let script = format!("return {{status = {name} == nil and 'Healthy' or 'Degraded'}}");
            assert_eq!(said(&script, &order(json!({}))), fares(HealthStatus::Healthy, ""), "{name}");
        }
        for reaches in ["require('io')", "os.execute('true')", "os.exit()", "os.getenv('HOME')"] {
            assert!(
                matches!(said(reaches, &order(json!({}))), Verdict::Fares(health) if health.status == HealthStatus::Unknown)
            );
        }
    }

    /// Words of the language in any order: whatever they make, it ends and nothing else does.
    fn words() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            Just("while true do"),
            Just("for i = 1, 1e9 do"),
            Just("end"),
            Just("if obj then"),
            Just("local t = {}"),
            Just("t[#t + 1] = t"),
            Just("s = (s or 'x') .. 'yy'"),
            Just("s = s .. s"),
            Just("function f(...) return f(...) end"),
            Just("f(1, 2)"),
            Just("pcall(f)"),
            Just("return obj"),
            Just("return {status = s, message = t}"),
            Just("repeat"),
            Just("until false"),
            Just("table.sort(t, f)"),
            Just("table.insert(t, 1, s)"),
            Just("table.concat(t, s)"),
            Just("setmetatable(t, {__index = f, __lt = f, __concat = f})"),
            Just("t = t .. t"),
            Just("obj = obj.metadata"),
            Just("unpack(t, 1, 1e8)"),
            Just("\"\\0\""),
            Just("[["),
        ];
        prop::collection::vec(word, 0..24).prop_map(|words| words.join("\n"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_a_script_is_it_ends(script in words(), junk in ".{0,40}") {
            let one = order(json!({"a": [1, null, {"b": -1.5e300}], "c": "\u{0}"}));
            for text in [&script, &junk] {
                let _ = said(text, &one);
            }
        }
    }
}
