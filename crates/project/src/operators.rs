use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which operators are simulated on the embedded cluster: each is until the real one acts there, unless it is `off`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Operators {
    /// Issuers and Certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager: Option<OperatorSwitch>,
    /// SealedSecrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_secrets: Option<OperatorSwitch>,
    /// MariaDB servers, databases, users and grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mariadb_operator: Option<OperatorSwitch>,
    /// Ingresses and IngressRoutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traefik: Option<OperatorSwitch>,
}

/// Whether an operator is simulated: `on` or `off`, which YAML reads as true and false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OperatorSwitch {
    /// As YAML reads the word.
    Truth(bool),
    /// As text.
    Word(OperatorWord),
}

/// Whether an operator is simulated, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperatorWord {
    /// It is, until the real one acts.
    On,
    /// It is not.
    Off,
}

impl Operators {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All that there are, by name, with what is said of each.
    pub fn each(&self) -> [(&'static str, Option<OperatorSwitch>); 4] {
        [
            ("cert-manager", self.cert_manager),
            ("sealed-secrets", self.sealed_secrets),
            ("mariadb-operator", self.mariadb_operator),
            ("traefik", self.traefik),
        ]
    }

    /// The names of those that are switched off.
    pub fn off(&self) -> impl Iterator<Item = &'static str> {
        let is_off =
            |said| matches!(said, Some(OperatorSwitch::Truth(false) | OperatorSwitch::Word(OperatorWord::Off)));
        self.each().into_iter().filter(move |(_, said)| is_off(*said)).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn file(operators: &str) -> String {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments:\n  local:\n    operators: {operators}\n"
        )
    }

    #[test]
    fn operators_are_switched_off_by_the_word_that_yaml_reads_as_false() {
        let off = |operators: &str| {
            let read = parse("landfall.yaml", &file(operators)).expect("a project file");
            read.system.environments["local"].operators.off().collect::<Vec<_>>()
        };
        assert_eq!(off("{cert-manager: off, sealed-secrets: 'off', traefik: on}"), ["cert-manager", "sealed-secrets"]);
        assert!(off("{}").is_empty());
    }

    #[test]
    fn an_operator_that_is_not_known_is_told_with_the_nearest() {
        let findings = parse("landfall.yaml", &file("{cert-manger: off}")).expect_err("misspelt");
        let told = landfall_diag::render_plain(&findings[0]);
        assert!(told.contains("`cert-manger`") && told.contains("did you mean `cert-manager`?"), "{told}");
    }
}
