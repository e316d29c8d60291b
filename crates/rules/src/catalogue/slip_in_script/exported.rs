//! Variables that a script sets for a program which never sees them.

use landfall_diag::Finding;

use super::RULE;
use super::counted::given_scripts;
use crate::pods::Container;
use crate::subject::Desired;

/// Variables by which programs are given a password or an address, and whose they are.
///
/// ORIGIN: redis.io/docs/latest/develop/tools/cli, postgresql.org/docs/current/libpq-envars.html,
/// dev.mysql.com/doc/refman/8.0/en/environment-variables.html, developer.hashicorp.com/vault/docs/commands,
/// kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig,
/// docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html, restic.readthedocs.io/en/stable/040_backup.html
const READ: &[(&[&str], &[&str])] = &[
    (&["REDISCLI_AUTH"], &["redis-cli"]),
    (
        &["PGPASSWORD", "PGHOST", "PGUSER", "PGDATABASE", "PGPORT"],
        &["psql", "pg_isready", "pg_dump", "pg_dumpall", "pg_restore", "createdb", "dropdb"],
    ),
    (&["MYSQL_PWD"], &["mysql", "mysqladmin", "mysqldump", "mariadb", "mariadb-admin"]),
    (&["VAULT_ADDR", "VAULT_TOKEN", "VAULT_SKIP_VERIFY"], &["vault"]),
    (&["KUBECONFIG"], &["kubectl", "helm"]),
    (&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"], &["aws"]),
    (&["RESTIC_PASSWORD", "RESTIC_REPOSITORY"], &["restic"]),
];

/// The scripts of a container that set such a variable for themselves alone.
pub(super) fn in_container(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let is_given = |name: &str| container.env().any(|(_, known, _)| known == name);
    let told = |(field, script): (String, &str)| {
        let (name, program) = kept_to_itself(script)?;
        if is_given(name) || container.env_from().next().is_some() {
            // What was given to the container is handed on with its new value.
            return None;
        }
        let finding = RULE
            .finding(format!("the script of container `{}` sets `{name}` and does not export it", container.name))
            .because(format!("`{program}`, which it is for, is another process and does not see it"))
            .help(format!("write `export {name}=…`"));
        Some(finding.at(desired.spot_at(&field)))
    };
    given_scripts(container).into_iter().filter_map(told).collect()
}

/// The variable that a script sets by a statement of its own, and the program that it then calls and that would read it.
fn kept_to_itself(script: &str) -> Option<(&'static str, &'static str)> {
    if !READ.iter().any(|(names, _)| names.iter().any(|name| script.contains(name)))
        || script.contains("set -a")
        || script.contains("allexport")
    {
        return None;
    }
    READ.iter().find_map(|(names, programs)| {
        names.iter().find_map(|name| {
            let exported = script.contains(&format!("export {name}")) || script.contains(&format!("declare -x {name}"));
            let behind = set_alone(script, name).filter(|_| !exported)?;
            let words = behind.split(|it: char| it.is_whitespace() || ";|&()`$\"'".contains(it));
            let program = words.into_iter().find_map(|word| programs.iter().find(|program| **program == word))?;
            Some((*name, *program))
        })
    })
}

/// What stands behind a statement that does nothing but set a variable.
fn set_alone<'s>(script: &'s str, name: &str) -> Option<&'s str> {
    let mut from = 0;
    while let Some(at) = script[from..].find(name).map(|at| from + at) {
        from = at + name.len();
        let before = script[..at].trim_end_matches([' ', '\t']);
        let begins = before.is_empty()
            || before.ends_with(['\n', ';', '&', '{'])
            || before.ends_with("then")
            || before.ends_with("do");
        let Some(value) = script[from..].strip_prefix('=').filter(|_| begins) else { continue };
        let rest = value_end(value)?;
        let rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() || rest.starts_with(['\n', ';']) || rest.starts_with("&&") {
            return Some(rest);
        }
    }
    None
}

/// What stands behind a value of a shell's: one word, quotes and `$(…)` as they nest.
fn value_end(text: &str) -> Option<&str> {
    let (mut open, mut quote, mut is_escaped) = (0_usize, None, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if quote != Some('\'') => is_escaped = true,
            _ if quote == Some(letter) => quote = None,
            '(' if quote != Some('\'') => open += 1,
            ')' if quote != Some('\'') && open > 0 => open -= 1,
            '"' | '\'' | '`' if quote.is_none() => quote = Some(letter),
            ' ' | '\t' | '\n' | ';' | '&' if quote.is_none() && open == 0 => return Some(&text[at..]),
            _ => {}
        }
    }
    (quote.is_none() && open == 0).then_some("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_its_program_does_not_see_is_told() {
        for (script, told) in [
            ("REDISCLI_AUTH=$(grep -h \"requirepass\" /etc/redis.conf | cut -d ' ' -f 2)\nredis-cli ping", true),
            ("set -e; PGPASSWORD=\"$(cat /run/p)\"; psql -h db -c 'SELECT 1'", true),
            ("if true; then\n  PGPASSWORD=$P\nfi\npg_isready", true),
            ("export PGPASSWORD=$P\npsql", false),
            ("PGPASSWORD=$P psql -h db", false),
            ("PGPASSWORD=$P\nexport PGPASSWORD\npsql", false),
            ("PGPASSWORD=$P\necho done", false),
            ("set -a\nPGPASSWORD=$P\npsql", false),
            ("MY_PGPASSWORD=$P\npsql", false),
            ("OLDPGPASSWORD=x; psql", false),
        ] {
            assert_eq!(kept_to_itself(script).is_some(), told, "{script}");
        }
    }
}
