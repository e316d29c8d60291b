//! The task by which Windows runs the agent, as its scheduler reads it. What `schtasks` makes of switches ends after three days, is not
//! started again and waits for a power cord; only a definition says otherwise.

use std::path::Path;

/// A definition of a task that runs `program run --root root` from each start of the machine on, as the system: without an end, started
/// again within a minute of its end, whatever the battery says, and never twice.
pub(crate) fn definition(program: &Path, root: &Path) -> String {
    let program = escaped(&program.display().to_string());
    // A backslash before the closing quote would be taken for a quote that does not close.
    let root = root.display().to_string();
    let root = escaped(&format!("\"{}\"", root.trim_end_matches('\\')));
    format!(
        r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>Keeps this machine's programs as their server wants them</Description></RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Repetition><Interval>PT1M</Interval><StopAtDurationEnd>false</StopAtDurationEnd></Repetition>
      <Enabled>true</Enabled>
    </BootTrigger>
  </Triggers>
  <Principals>
    <Principal id="System"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="System">
    <Exec><Command>{program}</Command><Arguments>run --root {root}</Arguments></Exec>
  </Actions>
</Task>
"#
    )
}

/// As the scheduler reads a file: UTF-16 with its mark.
pub(crate) fn encoded(definition: &str) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(definition.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lp_089_the_task_of_windows_has_no_end_and_is_started_again() {
        let text = definition(Path::new(r"C:\Agent & Co\bin\landfall-agent.exe"), Path::new(r"C:\Agent & Co\"));
        for line in [
            "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>",
            "<Repetition><Interval>PT1M</Interval><StopAtDurationEnd>false</StopAtDurationEnd></Repetition>",
            "<DisallowStartIfOnBatteries>false<",
            "<StopIfGoingOnBatteries>false<",
            "<MultipleInstancesPolicy>IgnoreNew<",
            "<UserId>S-1-5-18</UserId>",
            r"<Command>C:\Agent &amp; Co\bin\landfall-agent.exe</Command>",
            "<Arguments>run --root &quot;C:\\Agent &amp; Co&quot;</Arguments>",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains("wk_live") && !text.contains("Password"));
    }

    #[test]
    fn a_path_cannot_say_more_than_a_path_to_the_scheduler() {
        let text = definition(Path::new("a</Command><Command>b"), Path::new("c\"</Arguments>"));
        assert_eq!((text.matches("<Command>").count(), text.matches("</Arguments>").count()), (1, 1), "{text}");
    }

    #[test]
    fn it_is_written_as_the_scheduler_reads_it() {
        assert_eq!(encoded("é<"), [0xFF, 0xFE, 0xE9, 0, b'<', 0]);
    }
}
