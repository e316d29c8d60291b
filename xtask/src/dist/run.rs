//! Programs that are run on the way.

use std::process::Command;

/// Runs a program to its end; gives what it wrote to standard output.
pub(crate) fn said(command: &mut Command) -> Result<Vec<u8>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|cause| format!("cannot run {name}: {cause}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    Err(format!(
        "{name} {} ended with {}:\n{}",
        words.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

/// The same as text, without the white space at its ends.
pub(crate) fn line(command: &mut Command) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&said(command)?).trim().to_owned())
}

/// Runs a program that tells a person what it does; it must end well.
pub(crate) fn done(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|cause| format!("cannot run {name}: {cause}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} ended with {status}")) }
}
