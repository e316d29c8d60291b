//! Expressions with what cel-go gives for them.

use serde_json::{Value, json};

use super::*;

fn evaluated(text: &str, own: &Value) -> Result<String, String> {
    let program = Program::parse(text)?;
    let bindings = [("self", Val::of(own, None))];
    let value = program.evaluate(&bindings, &Budget::steps(100_000))?;
    let texts = [Val::text("%s"), Val::list(vec![value])];
    let shown = functions::call("format", &texts, &program)?;
    functions::as_text(&shown).ok_or_else(|| "no text".to_owned())
}

#[test]
fn expressions_have_cel_gos_values() {
    let own = json!({
        "replicas": 3, "min": 1, "name": "web", "tags": ["a", "b"], "labels": {"app": "x", "a-b": "y"}, "limit": "500m", "ratio": 0.5,
        "items": [{"k": "x", "v": 1}, {"k": "y", "v": 2}], "url": "https://example.com:8443/a/b?c=d", "nothing": null,
    });
    for (text, wanted) in [
        ("self.replicas >= self.min && self.name.startsWith('w')", "true"),
        ("self.replicas + 2 * 3 - 10 / 3 % 2", "8"),
        ("-self.replicas", "-3"),
        ("!has(self.missing) || self.missing > 1", "true"),
        ("has(self.labels.app) ? 'yes' : 'no'", "yes"),
        ("self.labels.a__dash__b", "y"),
        ("self.labels['a-b'] in ['y', 'z']", "true"),
        ("'app' in self.labels", "true"),
        ("self.tags.all(t, t in ['a', 'b', 'c'])", "true"),
        ("self.items.exists(i, i.v > 1)", "true"),
        ("self.items.exists_one(i, i.k == 'x')", "true"),
        ("self.items.map(i, i.v * 2)", "[2, 4]"),
        ("self.items.map(i, i.v > 1, i.k)", "[y]"),
        ("self.items.filter(i, i.k != 'x').size()", "1"),
        ("self.labels.all(k, size(k) < 4)", "true"),
        ("self.tags.all(i, t, i < 2 && t != '')", "true"),
        ("self.tags.transformList(i, t, t + string(i))", "[a0, b1]"),
        ("self.?missing.orValue('d')", "d"),
        ("self.?labels.?app.hasValue()", "true"),
        ("self.labels[?'zip'].orValue('none')", "none"),
        ("self.?name.optMap(n, n + '!').orValue('')", "web!"),
        ("[1, 2] + [3] == [1, 2, 3]", "true"),
        ("{'a': 1}.a == 1 && {'a': 1} == {'a': 1.0}", "true"),
        ("1 == 1.0 && 1u < 2", "true"),
        ("self.nothing == null", "true"),
        ("type(self.replicas) == int && type(self.ratio) == double", "true"),
        ("'héllo'.charAt(1) + 'héllo'.substring(2, 4)", "éll"),
        ("'a,b,c'.split(',').join('-')", "a-b-c"),
        ("'Hello'.lowerAscii().indexOf('l')", "2"),
        ("'x'.matches('^[a-z]$') && 'abc-1'.find('[0-9]+') == '1'", "true"),
        ("'%s has %d of %.2f'.format([self.name, 3, 1.5])", "web has 3 of 1.50"),
        ("[1, 2, 3].isSorted() && [3, 1].min() == 1 && [1, 2].sum() == 3", "true"),
        ("duration('1h30m') > duration('80m') && duration('90s').getMinutes() == 1", "true"),
        ("timestamp('2026-01-02T03:04:05Z') + duration('1h') < timestamp('2026-01-02T05:00:00Z')", "true"),
        ("timestamp('2026-03-01T03:04:05Z').getDayOfYear()", "59"),
        (
            "url(self.url).getHostname() + url(self.url).getPort() + url(self.url).getEscapedPath()",
            "example.com8443/a/b",
        ),
        ("isIP('10.0.0.1') && !isIP('10.0.0') && cidr('10.0.0.0/8').containsIP('10.1.2.3')", "true"),
        ("cidr('192.168.0.0/16').containsCIDR('192.168.4.0/24') && ip('::1').isLoopback()", "true"),
        ("quantity(self.limit).isLessThan(quantity('1')) && quantity('1Ki').asInteger() == 1024", "true"),
        ("sets.contains(['a', 'b'], ['a']) && !sets.intersects([1], [2])", "true"),
        ("r'\\d' == '\\\\d' && \"\\u0041\" == 'A' && '''x\ny'''.size() == 3", "true"),
        ("false && self.missing", "false"),
        ("self.missing || true", "true"),
        ("self.items.exists(i, i.zip == 1 || i.v == 2)", "true"),
        ("size(self.tags) > 0 // a comment", "true"),
    ] {
        assert_eq!(evaluated(text, &own).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn errors_are_cel_gos() {
    let own = json!({"n": 1, "l": [1], "m": {}});
    for (text, wanted) in [
        ("self.zip", "no such key: zip"),
        ("self.l[3]", "index out of bounds: 3"),
        ("self.n / 0", "division by zero"),
        ("self.n + 'a'", "no such overload"),
        ("self.n.startsWith('x')", "no such overload"),
        ("9223372036854775807 + self.n", "integer overflow"),
        ("(-9223372036854775807 - 1) % -1", "integer overflow"),
        ("zip", "no such attribute(s): zip"),
        ("self.l.map(x, zap(x))", "undeclared reference to 'zap'"),
        ("self.n | 1", "Syntax error: token recognition error at: '| '"),
    ] {
        assert_eq!(evaluated(text, &own), Err(wanted.to_owned()), "{text}");
    }
}

#[test]
fn hostile_expressions_end() {
    let deep = "(".repeat(5000) + "1" + &")".repeat(5000);
    assert!(Program::parse(&deep).is_err());
    assert!(Program::parse(&"!".repeat(5000)).is_err());
    assert!(Program::parse(&("1".to_owned() + &"+1".repeat(5000))).is_err());
    assert!(Program::parse("'").is_err());
    let many: Vec<i64> = (0..100).collect();
    let own = json!({ "l": many });
    let text = "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))";
    assert_eq!(evaluated(text, &own), Err("operation cancelled: actual cost limit exceeded".to_owned()));
}
