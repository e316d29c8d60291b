//! Query parameters.

use crate::status::Status;
use crate::world::Effect;

/// The parameters in the order given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(&key.replace('+', " ")), percent_decode(&value.replace('+', " ")))
        });
        Self(pairs.collect())
    }

    /// The first value of a parameter; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// True when the parameter was given, with whatever value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A boolean as Go's conversion reads it: anything but empty, `false` and `0` is true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.get(name), "false" | "0")
    }

    /// A whole number, if given and one.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name).parse().ok()
    }

    /// A whole number, if given.
    ///
    /// # Errors
    /// It is none: what nobody can read is not what was asked for (Go's `strconv.ParseInt`).
    pub(crate) fn whole(&self, name: &str) -> Result<Option<i64>, Status> {
        let text = self.get(name);
        let refused = |_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(refused) }
    }

    /// `dryRun`: nothing or `All`.
    pub(crate) fn effect(&self, kind: &str) -> Result<Effect, Status> {
        let mut effect = Effect::Commit;
        for value in self.all("dryRun") {
            match value {
                "All" => effect = Effect::DryRun,
                other => {
                    let error =
                        crate::status::FieldError::not_supported("dryRun", serde_json::json!([other]), &["All"]);
                    return Err(Status::invalid("meta.k8s.io", kind, "", vec![error]));
                }
            }
        }
        Ok(effect)
    }
}

pub(crate) fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = bytes.get(index + 1..index + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[index] == b'%' => {
                out.push(byte);
                index += 3;
            }
            _ => {
                out.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc&watch=1&empty");
        assert_eq!(query.get("labelSelector"), "a=b,c");
        assert!(query.flag("watch"));
        assert!(query.flag("empty"));
        assert!(!query.flag("missing"));
    }
}
